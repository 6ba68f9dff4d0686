"""Which requests the demo answers: the page's own, of a stated size and type.

A server on 127.0.0.1 can be reached by any page that the user has open in a browser. Two checks
keep those out: the name that the browser believes to speak to (DNS rebinding), and the page that
sends (cross-site requests).
"""

import ipaddress
import socket
import urllib.parse
from email.message import Message
from http import HTTPStatus


class Refused(Exception):
    """A request that is not answered.

    Attributes:
        status: Of HTTP.
        reason: A sentence for the user.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def is_loopback(host: str) -> bool:
    """Says whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_host(headers: Message, bound: str) -> None:
    """Checks that the browser speaks to this machine by a name that no one else can assign.

    Args:
        headers: Of the request.
        bound: The host that the server listens at.

    Raises:
        Refused: Unless `Host` is of the loopback or, if the server is open to others, an address,
            `bound` or this machine's name.
    """
    given = headers.get_all("Host", [])
    try:
        (name,) = (urllib.parse.urlsplit(f"//{host}").hostname or "" for host in given)
    except ValueError:
        name = ""
    if is_loopback(name):
        return
    if not is_loopback(bound) and (_is_address(name) or name in (bound, socket.gethostname())):
        return
    raise Refused(
        HTTPStatus.FORBIDDEN,
        f"expected a request to {bound}, got one to {', '.join(given) or 'no host'}; open the page "
        "by the address that the command printed",
    )


def check_sender(headers: Message) -> None:
    """Checks that a request comes from the demo's own page or from a program.

    Raises:
        Refused: If it comes from another page.
    """
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site", "none")
    own = origin is None or origin == f"http://{headers.get('Host')}"
    if not own or site not in ("same-origin", "none"):
        raise Refused(HTTPStatus.FORBIDDEN, "requests from other pages are not answered")


def content_length(headers: Message, limit: int) -> int:
    """Returns the bytes of a request's body, before any is read.

    Args:
        headers: Of the request.
        limit: Bytes, at most.

    Raises:
        Refused: If the length is not given, is no number, or is above the limit.
    """
    given = headers.get("Content-Length", "")
    if not (given.isascii() and given.isdigit()) or "Transfer-Encoding" in headers:
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "expected the header Content-Length, in bytes")
    length = int(given)
    if length > limit:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"expected at most {limit:,} bytes, got {length:,}",
        )
    return length


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
