"""Where a name leads, and whether we go there.

In:  a host, whether private networks are allowed.
Out: addresses that are then used as they are: a name that leads elsewhere a moment later changes nothing.
"""

import ipaddress
import socket

from runner.sending.channel import NeverMind, TryAgain


def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host, in the order in which they are to be tried.

    Raises TryAgain where the name is unknown now, NeverMind where any of its addresses is not a public one
    (private, loopback, link-local, ...) and that is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TryAgain(f"the host's name could not be resolved ({error.strerror})") from error
    addresses = [str(address[0]) for *_, address in found]
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise NeverMind(
                    "its host has an address in a private, loopback or link-local network; "
                    "allow_private: true lets messages go there"
                )
    return list(dict.fromkeys(addresses))


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet, also where it hides in one of version 6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and (inner := ip.ipv4_mapped or ip.sixtofour):
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
