"""Recognizes a file with the package funasr-client; prints what its user gets, as JSON. Arguments: URL, file, mode."""

import asyncio
import json
import sys

from funasr_client import async_file_asr

url, file, mode = sys.argv[1:]
print(json.dumps(asyncio.run(async_file_asr(file, url, mode=mode)), ensure_ascii=False))
