"""Checks of the way to the Hub: the token, and whether the Hub answers."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from r1chat.doctor.background import start
from r1chat.doctor.check import FAIL, OK, WARN, Check, Surroundings
from r1chat.errors import DownloadError, NotFoundError, UsageError
from r1chat.models import access, catalog
from r1chat.models.hub import Hub, Patience, TokenPolicy
from r1chat.settings import layers as settings

HUB_SECONDS: Final = 3.0


def token(around: Surroundings) -> Check:
    """The Hub's token: whether there is one, where it is from, and whether the Hub gets to see it."""
    found = access.find_token(around.environ)
    data = {"present": found.value is not None, "source": found.source}
    if found.value is None:
        return Check(OK, "None. Public models need none.", data=data)
    try:
        found.checked()
    except UsageError as error:
        return Check(FAIL, f"{error.message} It is from {found.source}.", error.hint, data=data)
    where = _untrusted(around)
    if where:
        text = f"There is one, from {found.source}, but {where} does not get to see it."
        return Check(OK, f"{text} Who trusts it sets R1CHAT_TOKEN_HOSTS={where}.", data=data)
    return Check(OK, f"There is one, from {found.source}.", data=data)


def _untrusted(around: Surroundings) -> str:
    """Name the Hub's host if it does not get to see the token; an address that is none is told by the check `hub`."""
    address = access.endpoint(around.environ)
    with contextlib.suppress(ValueError):
        if _policy(around).token_for(address) is None:
            return urlsplit(address).netloc.rpartition("@")[2]
    return ""


def _policy(around: Surroundings) -> TokenPolicy:
    """Say who sees the token, as pull does; settings that can't be read name no further hosts."""
    with contextlib.suppress(UsageError):
        hosts = settings.load(around.environ, around.paths.settings)["token_hosts"]
        return TokenPolicy(access.find_token(around.environ).checked(), frozenset(hosts))
    return TokenPolicy()


def hub(around: Surroundings) -> Check:
    """The Hub: asked for a small listing, just as pull asks."""
    address = access.endpoint(around.environ)
    reason = "--offline" if around.offline else access.offline(around.environ)
    data: dict[str, Any] = {"endpoint": address, "asked": not reason}
    if reason:
        return Check(OK, f"Not asked, because of {reason}.", data=data)
    repository = catalog.load(catalog.default_path()).entries[0].download.repository
    patience = Patience(connect_seconds=HUB_SECONDS, stall_seconds=HUB_SECONDS, n_tries=1, n_questions=1)
    asked = Hub(address, _policy(around), patience=patience)
    proxy = _proxy(address, around.proxies)
    data["proxy"] = proxy
    through = f" through the proxy {proxy}" if proxy else ""
    begun = time.monotonic()
    try:
        with asked:
            # Looking up a name can take longer than the client's own limits allow.
            start(lambda: asked.listing(repository)).result(HUB_SECONDS + 0.5)
    except NotFoundError:
        data["seconds"] = round(time.monotonic() - begun, 3)
        return Check(OK, f"{asked.host} answers{through}, though it has no {repository}.", data=data)
    except TimeoutError:
        error = DownloadError(f"{asked.host} does not answer within {HUB_SECONDS:.0f} seconds.")
    except DownloadError as failure:
        error = failure
    else:
        data["seconds"] = round(time.monotonic() - begun, 3)
        return Check(OK, f"{asked.host} answers{through} in {data['seconds']:.2f} s.", data=data)
    hint = "Check the network." if not error.hint or error.hint.startswith("Run the same") else error.hint
    where = f" It was asked{through}." if through else ""
    return Check(WARN, f"{error.message}{where}", f"{hint} Models that are here run without it.", data=data)


def _proxy(address: str, proxies: Mapping[str, str]) -> str:
    """Give the proxy that stands between here and an address; empty for none."""
    parts = urlsplit(address)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return proxies.get(parts.scheme) or proxies.get("all", "")
