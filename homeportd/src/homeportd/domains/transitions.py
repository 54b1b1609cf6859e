"""The transitions of a domain from state to state, and when it is checked next. Pure.

Traefik asks the certificate authority anew at every change of any route, for each route that has a resolver
and no certificate, and an authority allows few failures (Let's Encrypt: five an hour for a name). So a route
gets its resolver when DNS is right, and loses it for a while when the authority has refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homeportd.domains.acme_log import trouble
from homeportd.domains.model import Certificate, Destination, DnsResult, Failure, Mapping, State, Trouble

END_PART = 0.2  # of a certificate's time; Traefik renews in the last third
_MAX_DOUBLINGS = 16


@dataclass(frozen=True)
class CheckIntervals:
    """Seconds until a domain is checked next, by its state. `jitter`: the part that chance adds or takes off."""

    pending: float = 15
    pending_most: float = 600
    awaiting: float = 1  # a certificate that Traefik is about to get
    awaiting_most: float = 3  # soon after a refusal Traefik has to lose the resolver
    patience: float = 300  # for a certificate of which Traefik's log says nothing
    refused: float = 900  # before the certificate authority is asked again; doubles
    refused_most: float = 6 * 3600
    settled: float = 86400
    troubled: float = 600  # issued once, and something is wrong now
    ending: float = 3600  # a certificate near its end, which Traefik should have renewed
    near_end: float = 3 * 86400
    jitter: float = 0.2


def after_dns(
    mapping: Mapping, result: DnsResult, now: datetime, *, tls: bool, anew: bool = False
) -> Mapping:
    """The mapping after an answer of DNS. `anew`: a person asks, so a refused certificate is asked for again."""
    fresh = replace(
        mapping,
        found=result.found,
        note=result.note,
        apex=mapping.apex if result.apex is None else result.apex,
        checked_at=now,
    )
    settled = mapping.certificate is not None or (not tls and mapping.routed)
    if result.destination is Destination.UNKNOWN:
        # Nobody's fault: what was true stays true until DNS says otherwise.
        kept = replace(fresh, found=mapping.found)
        return replace(kept, error=result.trouble) if mapping.state is State.PENDING else kept
    if result.destination is not Destination.HERE:
        forbidden = result.destination is Destination.FORBIDDEN
        return replace(
            fresh,
            state=State.ERROR if settled or forbidden else State.PENDING,
            error=result.trouble,
            routed=settled,  # visitors who still come are served
            asking=False,
            asked_at=None,
            retry_at=None,
            failures=0,
        )
    if not tls:
        return replace(fresh, state=State.VERIFIED, error=None, routed=True)
    if mapping.asking or (mapping.retry_at is not None and mapping.retry_at > now and not anew):
        return replace(fresh, routed=True)
    return replace(
        fresh, state=State.VERIFIED, error=None, routed=True, asking=True, asked_at=now, retry_at=None
    )


def after_probe(
    mapping: Mapping,
    certificate: Certificate | None,
    why: str,
    failure: Failure | None,
    now: datetime,
    intervals: CheckIntervals,
) -> Mapping:
    """The mapping after a handshake: the certificate, or `why` there is none, and the authority's last refusal."""
    if not mapping.asking and mapping.retry_at is None:
        return mapping  # DNS is wrong, which comes first
    if certificate is not None:
        wrong = _not_renewed(certificate, failure, now)
        return replace(
            mapping,
            state=State.ERROR if wrong else State.ISSUED,
            error=wrong,
            certificate=certificate,
            failures=0,
            retry_at=None,
            asking=True,
            asked_at=mapping.asked_at or now,
        )
    if not mapping.asking:
        return mapping
    began = mapping.asked_at or now
    if failure is None and now - began < timedelta(seconds=intervals.patience):
        lost = mapping.certificate is not None
        return replace(mapping, state=State.ERROR, error=_lost(why)) if lost else mapping
    wrong = trouble(failure) if failure is not None else _silent(why, now - began)
    failures = mapping.failures + 1
    wait = min(intervals.refused * 2 ** min(failures - 1, _MAX_DOUBLINGS), intervals.refused_most)
    return replace(
        mapping,
        state=State.ERROR,
        error=wrong,
        asking=False,
        failures=failures,
        retry_at=now + timedelta(seconds=wait),
    )


def _not_renewed(certificate: Certificate, failure: Failure | None, now: datetime) -> Trouble | None:
    """The reason why a certificate is not renewed, once Traefik's own tries have had time; None while they have."""
    late = certificate.not_after - now < (certificate.not_after - certificate.not_before) * END_PART
    if failure is None or failure.at < certificate.not_before or not late:
        return None
    wrong = trouble(failure)
    end = f"{certificate.not_after:%Y-%m-%d %H:%M} UTC"
    return Trouble(f"the certificate ends at {end} and is not renewed: {failure.reason}", wrong.fix)


def _lost(why: str) -> Trouble:
    return Trouble(
        f"visitors do not get the certificate any more: {why}",
        "see that Traefik runs, and its log on the edge",
    )


def _silent(why: str, after: timedelta) -> Trouble:
    return Trouble(
        f"no certificate after {int(after.total_seconds())} s: {why}",
        "see that Traefik runs, that it has the resolver that [edge] domain_resolver names, and its log",
    )


def next_check_s(
    mapping: Mapping, checks: int, now: datetime, intervals: CheckIntervals, *, tls: bool, chance: float
) -> float:
    """Seconds until a domain is checked again. `checks`: how many it had in this state; `chance`: from 0 to 1."""
    doubled = 2.0 ** min(checks, _MAX_DOUBLINGS)
    if mapping.retry_at is not None:
        base = max((mapping.retry_at - now).total_seconds(), intervals.awaiting)
    elif mapping.state is State.PENDING:
        base = min(intervals.pending * 1.5 ** min(checks, _MAX_DOUBLINGS), intervals.pending_most)
    elif mapping.state is State.VERIFIED and tls:
        base = min(intervals.awaiting * doubled**0.5, intervals.awaiting_most)
    elif mapping.state is State.ERROR:
        base = intervals.troubled
    elif mapping.certificate and mapping.certificate.not_after - now < timedelta(seconds=intervals.near_end):
        base = min(intervals.ending, intervals.settled)
    else:
        base = intervals.settled
    return base * (1 + intervals.jitter * (2 * chance - 1))
