"""Every name that lion-broker gives to a span, an attribute, a metric or a field of a log line; none stands elsewhere.

They follow OpenTelemetry's conventions for messaging, and for generative AI, which are still in development: whoever
raises the version below compares each name. docs/telemetry.md shows the same names, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "ATTRIBUTES",
    "DEFINITIONS",
    "INSTRUMENTS",
    "LOG_FIELDS",
    "MESSAGING_CONVENTIONS",
    "SCHEMA_URL",
    "SCOPE",
    "SPANS",
    "SYSTEM",
    "TEMPLATE",
    "Definition",
    "Instrument",
]

MESSAGING_CONVENTIONS: Final = "1.44.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{MESSAGING_CONVENTIONS}"
SCOPE: Final = "lion_broker"
SYSTEM: Final = "redis"
TEMPLATE: Final = "lion:{ns}:mailbox:{branch}"
"""What stands for every mailbox in names of spans, of which there must be few."""

SPANS: Final = {
    f"send {TEMPLATE}": "PRODUCER",
    f"receive {TEMPLATE}": "CLIENT",
    f"process {TEMPLATE}": "CONSUMER",
    f"ack {TEMPLATE}": "CLIENT",
    f"dead_letter {TEMPLATE}": "CLIENT",
    f"nack {TEMPLATE}": "CLIENT",
    "chat {gen_ai.request.model}": "CLIENT",
    "execute_tool {gen_ai.tool.name}": "INTERNAL",
    "invoke_agent {gen_ai.agent.name}": "INTERNAL",
    "invoke_workflow {gen_ai.workflow.name}": "INTERNAL",
}
"""The names of spans with their kinds. A model inside this process is an INTERNAL chat."""

ATTRIBUTES: Final = {
    "error.type": "whatever failed",
    "gen_ai.agent.id": "`invoke_agent`: the branch's id",
    "gen_ai.agent.name": "`invoke_agent`: the branch's name",
    "gen_ai.conversation.id": "agents, models and tools: the session's id",
    "gen_ai.input.messages": "`chat`; *content*",
    "gen_ai.operation.name": "agents, models and tools",
    "gen_ai.output.messages": "`chat`; *content*",
    "gen_ai.output.type": "`chat`: `text` or `json`",
    "gen_ai.provider.name": "`chat`",
    "gen_ai.request.choice.count": "`chat`, where it is not 1",
    "gen_ai.request.max_tokens": "`chat`",
    "gen_ai.request.model": "`chat`",
    "gen_ai.request.seed": "`chat`",
    "gen_ai.request.stop_sequences": "`chat`",
    "gen_ai.request.stream": "`chat`, of a stream",
    "gen_ai.request.temperature": "`chat`",
    "gen_ai.request.top_p": "`chat`",
    "gen_ai.response.finish_reasons": "`chat`",
    "gen_ai.response.id": "`chat`, where the provider gave one",
    "gen_ai.response.model": "`chat`",
    "gen_ai.response.time_to_first_chunk": "`chat`, of a stream; seconds",
    "gen_ai.system_instructions": "`chat`; *content*",
    "gen_ai.tool.call.arguments": "`execute_tool`; *content*",
    "gen_ai.tool.call.result": "`execute_tool`; *content*",
    "gen_ai.tool.definitions": "`chat`; *content*",
    "gen_ai.tool.description": "`execute_tool`",
    "gen_ai.tool.name": "`execute_tool`",
    "gen_ai.tool.type": "`execute_tool`: `function`",
    "gen_ai.usage.cache_creation.input_tokens": "`chat`, as the provider counted",
    "gen_ai.usage.cache_read.input_tokens": "`chat`, as the provider counted",
    "gen_ai.usage.input_tokens": "`chat`, as the provider counted",
    "gen_ai.usage.output_tokens": "`chat`, as the provider counted",
    "gen_ai.usage.reasoning.output_tokens": "`chat`, as the provider counted",
    "gen_ai.workflow.name": "`invoke_workflow`: the session's name",
    "messaging.batch.message_count": "mail, where a span stands for several",
    "messaging.client.id": "mail that a worker handles: its name",
    "messaging.consumer.group.name": "mail that a worker handles: `workers`",
    "messaging.destination.name": "mail: the key of the mailbox, where a span is about one",
    "messaging.destination.template": "mail",
    "messaging.message.conversation_id": "mail: the session's id",
    "messaging.message.id": "mail, where a span stands for one",
    "messaging.operation.name": "mail",
    "messaging.operation.type": "mail: `send`, `receive`, `process` or `settle`",
    "messaging.system": "mail: `redis`",
    "server.address": "mail, and a `chat` whose model has a `base_url`",
    "server.port": "the same",
    "session.id": "everything that belongs to a session",
}
"""The attributes that spans may have, and which spans have them; content only with LION_BROKER_OTEL_CONTENT=1."""

LOG_FIELDS: Final = ("session", "branch", "mail", "worker", "attempt", "trace_id", "span_id")
"""What a log line says about where it was written, as far as that is known."""

_MESSAGING_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_GEN_AI_BUCKETS: Final = tuple(0.01 * 2**n for n in range(14))
_CHUNK_BUCKETS: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKEN_BUCKETS: Final = tuple(float(4**n) for n in range(14))


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric of OpenTelemetry; with `buckets` it is a histogram, else a counter."""

    name: str
    unit: str
    text: str
    buckets: tuple[float, ...] = ()


INSTRUMENTS: Final = {
    one.name: one
    for one in (
        Instrument("messaging.client.operation.duration", "s", "How long an operation took.", _MESSAGING_BUCKETS),
        Instrument("messaging.client.sent.messages", "{message}", "Mails that the exchange accepted."),
        Instrument("messaging.client.consumed.messages", "{message}", "Mails that were handed out."),
        Instrument("messaging.process.duration", "s", "How long handling mail took.", _MESSAGING_BUCKETS),
        Instrument("gen_ai.client.token.usage", "{token}", "Tokens that providers counted.", _TOKEN_BUCKETS),
        Instrument("gen_ai.client.operation.duration", "s", "How long calls of models took.", _GEN_AI_BUCKETS),
        Instrument("gen_ai.client.operation.time_to_first_chunk", "s", "Until a stream's first chunk.", _CHUNK_BUCKETS),
        Instrument("gen_ai.client.operation.time_per_output_chunk", "s", "Between chunks of a stream.", _CHUNK_BUCKETS),
        Instrument("gen_ai.invoke_agent.duration", "s", "How long a branch's operations took.", _GEN_AI_BUCKETS),
        Instrument("gen_ai.execute_tool.duration", "s", "How long calls of tools took.", _GEN_AI_BUCKETS),
        Instrument("gen_ai.workflow.duration", "s", "How long sessions were open.", _GEN_AI_BUCKETS),
    )
}
"""The metrics of OpenTelemetry by name."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric of Prometheus: its kind (`counter`, `gauge`, `histogram`), what it says, and its labels."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_MODEL: Final = ("provider", "model")
_PLACE: Final = ("session", "branch")
_SECONDS: Final = (0.001, 0.0025, *_MESSAGING_BUCKETS, 30.0, 60.0, 300.0)

DEFINITIONS: Final = {
    one.name: one
    for one in (
        Definition("lion_broker_mails_sent_total", "counter", "Mails that were accepted.", ("category",)),
        Definition(
            "lion_broker_mails_processed_total",
            "counter",
            "Mails that turns are through with: ok, retry, dead, dropped.",
            ("category", "outcome"),
        ),
        Definition("lion_broker_mail_wait_seconds", "histogram", "From arrival to handling.", (), _SECONDS),
        Definition("lion_broker_mail_process_seconds", "histogram", "How long handling a mail took.", (), _SECONDS),
        Definition("lion_broker_redeliveries_total", "counter", "Mails that were handed out again."),
        Definition("lion_broker_reclaimed_total", "counter", "Branches of dead workers that were given to others."),
        Definition("lion_broker_worker_info", "gauge", "1 for each worker.", ("version", "worker")),
        Definition("lion_broker_worker_inflight", "gauge", "Branches at work in this worker."),
        Definition("lion_broker_worker_late_seconds", "gauge", "How late its event loop is; 0.01 is too much to do."),
        Definition(
            "lion_broker_worker_last_heartbeat_timestamp_seconds",
            "gauge",
            "When this worker last heard from the server.",
        ),
        Definition("lion_broker_model_requests_total", "counter", "Calls of models.", (*_MODEL, "outcome")),
        Definition("lion_broker_model_request_seconds", "histogram", "How long they took.", _MODEL, _SECONDS),
        Definition("lion_broker_model_tokens_total", "counter", "Tokens that providers counted.", ("direction",)),
        Definition("lion_broker_model_cost_usd_total", "counter", "Cost in US dollars, where a provider tells it."),
        Definition("lion_broker_ratelimit_wait_seconds", "histogram", "Waiting for a model's limits.", (), _SECONDS),
        Definition("lion_broker_tool_calls_total", "counter", "Calls of tools.", ("tool", "outcome")),
        Definition("lion_broker_redis_disruptions_total", "counter", "Calls to the server that had to be repeated."),
        Definition("lion_broker_build_info", "gauge", "1, with the versions of this program.", ("version", "python")),
        Definition("lion_broker_mailbox_depth", "gauge", "Mails in mailboxes, not yet committed.", _PLACE),
        Definition("lion_broker_mailbox_lag", "gauge", "Branches that wait for a worker.", ("pool",)),
        Definition("lion_broker_mailbox_pending", "gauge", "Branches that a worker has claimed.", ("pool",)),
        Definition("lion_broker_mailbox_oldest_seconds", "gauge", "The longest wait for a worker.", ("pool",)),
        Definition("lion_broker_dlq_depth", "gauge", "Dead letters."),
        Definition("lion_broker_sessions_open", "gauge", "Sessions of the namespace."),
        Definition("lion_broker_branches_open", "gauge", "Branches of the namespace."),
        Definition(
            "lion_broker_branches_paused", "gauge", "Branches that take no turns until they are resumed.", ("pool",)
        ),
    )
}
"""The metrics of Prometheus by name."""
