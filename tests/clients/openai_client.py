"""The official `openai` client against a running Lull: one line per check, and the first failure ends it.

BASE_URL and KEY come from the environment (`./x demo --serve` prints them); MODEL is lull-demo unless given.
"""

import os
import sys
import time

import openai

BASE_URL = os.environ["BASE_URL"]
KEY = os.environ["KEY"]
MODEL = os.environ.get("MODEL", "lull-demo")
QUESTION = [{"role": "user", "content": "Can you explain Lull at length?"}]
TIMEOUT_S = 120.0

client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, timeout=TIMEOUT_S)
chat = client.chat.completions


def ask(**more):
    return chat.create(model=MODEL, messages=QUESTION, **more)


def stream_of(**more):
    """A stream's text, its reason to end and its usage."""
    text, reason, usage, roles = "", None, None, []
    for chunk in ask(stream=True, stream_options={"include_usage": True}, **more):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            roles += [choice.delta.role] if choice.delta.role else []
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
    assert roles == ["assistant"], roles
    return text, reason, usage


def refused(kind, call):
    """The error of a call that must fail in this way."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def models_are_listed():
    names = [model.id for model in client.models.list()]
    assert MODEL in names, names
    assert client.models.retrieve(MODEL).object == "model"


def an_answer_is_whole():
    answer = ask(temperature=0)
    choice = answer.choices[0]
    assert answer.id.startswith("chatcmpl-") and answer.object == "chat.completion", answer
    assert choice.message.role == "assistant" and choice.message.content.strip(), answer
    assert choice.finish_reason == "stop", answer
    assert abs(answer.created - time.time()) < TIMEOUT_S, answer.created


def usage_adds_up():
    usage = ask(temperature=0).usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage


def a_stream_says_the_same():
    whole = ask(temperature=0)
    text, reason, usage = stream_of(temperature=0)
    assert text == whole.choices[0].message.content, (text, whole)
    assert reason == whole.choices[0].finish_reason, reason
    assert usage == whole.usage, (usage, whole.usage)


def a_seed_gives_the_same_again():
    texts = {ask(seed=1234, temperature=1.5).choices[0].message.content for _ in range(3)}
    assert len(texts) == 1, texts
    assert stream_of(seed=1234, temperature=1.5)[0] == texts.pop()


def a_stop_string_ends_before_itself():
    text = ask(temperature=0).choices[0].message.content
    stop = text[len(text) // 2 :][:5]
    for stops in (stop, ["never this\n\n\n", stop]):
        choice = ask(temperature=0, stop=stops).choices[0]
        assert choice.finish_reason == "stop", choice
        assert choice.message.content == text[: text.index(stop)], (choice, text, stop)
    assert stream_of(temperature=0, stop=stop)[0] == text[: text.index(stop)]


def max_tokens_is_exact():
    for name in ("max_tokens", "max_completion_tokens"):
        answer = ask(temperature=0, **{name: 3})
        assert answer.choices[0].finish_reason == "length", answer
        assert answer.usage.completion_tokens == 3, answer


def probabilities_are_given():
    answer = ask(temperature=0, max_tokens=4, logprobs=True)
    tokens = answer.choices[0].logprobs.content
    assert len(tokens) == 4, tokens
    assert all(token.logprob <= 0 and token.bytes for token in tokens), tokens


def a_label_and_the_lender_travel_in_headers():
    raw = chat.with_raw_response.create(
        model=MODEL, messages=QUESTION, max_tokens=1, extra_headers={"x-lull-label": "internal"}
    )
    assert raw.headers["x-lull-lender"] and raw.headers["x-lull-job"], raw.headers
    assert raw.parse().id == "chatcmpl-" + raw.headers["x-lull-job"]
    error = refused(openai.BadRequestError, lambda: ask(extra_headers={"x-lull-label": "No Label"}))
    assert error.param == "x-lull-label", error


def a_wrong_key_is_refused():
    other = openai.OpenAI(base_url=BASE_URL, api_key=KEY[:-1] + ("A" if KEY[-1] != "A" else "B"))
    error = refused(openai.AuthenticationError, other.models.list)
    assert error.code == "invalid_api_key", error


def an_unknown_model_is_not_found():
    error = refused(openai.NotFoundError, lambda: chat.create(model="no-such-model", messages=QUESTION))
    assert error.code == "model_not_found" and error.param == "model", error


def bad_requests_name_the_parameter():
    tool = {"type": "function", "function": {"name": "f"}}
    for param, more in [
        ("temperature", {"temperature": 3}),
        ("tools", {"tools": [tool]}),
        ("response_format", {"response_format": {"type": "json_object"}}),
        ("n", {"n": 2}),
        ("no_such_thing", {"extra_body": {"no_such_thing": 1}}),
    ]:
        error = refused(openai.BadRequestError, lambda more=more: ask(**more))
        assert error.param == param, error


def a_stream_can_be_closed_early():
    for _ in range(5):
        stream = ask(stream=True)
        next(iter(stream))
        stream.close()
    assert ask(temperature=0, max_tokens=1).usage.completion_tokens == 1


CHECKS = [
    models_are_listed,
    an_answer_is_whole,
    usage_adds_up,
    a_stream_says_the_same,
    a_seed_gives_the_same_again,
    a_stop_string_ends_before_itself,
    max_tokens_is_exact,
    probabilities_are_given,
    a_label_and_the_lender_travel_in_headers,
    a_wrong_key_is_refused,
    an_unknown_model_is_not_found,
    bad_requests_name_the_parameter,
    a_stream_can_be_closed_early,
]


def main():
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        begun = time.monotonic()
        try:
            check()
        except Exception as error:  # whatever went wrong, the check failed
            print(f"FAIL  {name}: {type(error).__name__}: {error}", flush=True)
            sys.exit(1)
        print(f"ok    {name} ({time.monotonic() - begun:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
