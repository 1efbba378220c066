import pytest

from asr_service.infrastructure.asr.learned_cost import LearnedCost


def test_before_any_experience_the_prior_holds() -> None:
    assert LearnedCost(0.05, trust=30.0, memory=120.0).per_unit == pytest.approx(0.05)


def test_a_little_experience_moves_it_a_little() -> None:
    cost = LearnedCost(1.0, trust=30.0, memory=120.0)
    cost.learn(0.0, 3.0)
    assert 0.9 < cost.per_unit < 1.0


def test_much_experience_replaces_the_prior() -> None:
    cost = LearnedCost(1.0, trust=30.0, memory=120.0)
    for _ in range(1_000):
        cost.learn(0.2, 1.0)
    assert cost.per_unit == pytest.approx(0.2, rel=0.01)


def test_what_is_spent_on_the_same_units_again_is_added() -> None:
    cost = LearnedCost(1.0, trust=30.0, memory=120.0)
    for _ in range(1_000):
        cost.learn(0.2, 1.0)
        cost.learn(0.1, 0.0)
    assert cost.per_unit == pytest.approx(0.3, rel=0.01)


def test_it_follows_a_change() -> None:
    cost = LearnedCost(0.1, trust=30.0, memory=20.0)
    for price in (0.1, 0.4):
        for _ in range(200):
            cost.learn(price, 1.0)
        assert cost.per_unit == pytest.approx(price, rel=0.01)
