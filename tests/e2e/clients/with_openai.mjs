// Makes calls with the package openai; prints what its user gets, as JSON. Arguments: base URL, calls as JSON.

import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const [url, calls] = [process.argv[2], JSON.parse(process.argv[3])];
const client = new OpenAI({ baseURL: url, apiKey: "a key", maxRetries: 0 });
const METHODS = {
  transcribe: (given, options) => client.audio.transcriptions.create(given, options),
  translate: (given, options) => client.audio.translations.create(given, options),
  models: (given, options) => client.models.list(options),
  model: (given, options) => client.models.retrieve(given.model, options),
};

async function plain(value) {
  if (value instanceof OpenAI.Models.constructor || typeof value !== "object") return value;
  if (typeof value[Symbol.asyncIterator] !== "function") return value;
  if (value.object === "list") return { object: value.object, data: value.data };
  const events = [];
  for await (const event of value) events.push(event);
  return events;
}

async function outcome({ method, file, nameless, extra_headers: headers, extra_body: extra, ...given }) {
  if (file) given.file = nameless ? await toFile(fs.readFileSync(file)) : fs.createReadStream(file);
  try {
    const { data, response } = await METHODS[method]({ ...given, ...extra }, { headers }).withResponse();
    return {
      content_type: response.headers.get("content-type"),
      request_id: response.headers.get("x-request-id"),
      value: await plain(data),
    };
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const { status, code, type, param, requestID, error: body } = error;
    return { error: { kind: error.constructor.name, status, body, code, type, param, request_id: requestID } };
  }
}

const outcomes = [];
for (const call of JSON.parse(process.argv[3])) outcomes.push(await outcome(call));
console.log(JSON.stringify(outcomes));
