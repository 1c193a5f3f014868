"""The server's side of DAVE, Discord's end-to-end encryption, and the one listener who decrypts the bot's speech.

MLS (RFC 9420) agrees on the group's key. The bot makes the group; the server is its external sender and proposes to add
the listener; the bot commits that. Its packets are then decrypted with the listener's keys.
"""

import struct

import davey
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PROTOCOL = 1
"""The version of DAVE."""
LISTENER = 1
"""The user id of the listener, which is lower than any snowflake."""

_MLS, _PUBLIC_MESSAGE, _EXTERNAL_SENDER, _PROPOSAL, _ADD = 1, 1, 2, 2, 1
_BASIC_CREDENTIAL = 1
_SUITE = struct.pack(">H", 2)
"""The cipher suite of DAVE: the first bytes of a welcome."""


def vector(content: bytes) -> bytes:
    """Return bytes with their length before them, as MLS writes it: 1, 2 or 4 bytes (RFC 9420, section 2.1.2)."""
    length = len(content)
    if length < 1 << 6:
        return bytes([length]) + content
    if length < 1 << 14:
        return struct.pack(">H", length | 1 << 14) + content
    return struct.pack(">I", length | 1 << 31) + content


class Group:
    """The group of one encrypted call: the bot and the listener."""

    def __init__(self, channel_id: int) -> None:
        self._channel_id = channel_id
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.sender = vector(public) + struct.pack(">H", _BASIC_CREDENTIAL) + vector(b"voice")
        """The external sender package of opcode 25."""
        self._session = davey.DaveSession(PROTOCOL, LISTENER, channel_id)
        self._session.set_external_sender(self.sender)

    def invite(self) -> bytes:
        """Return the proposal of opcode 27 to add the listener to the bot's group."""
        return b"\x00" + vector(self._proposal(self._session.get_serialized_key_package()))

    def accept(self, commit_welcome: bytes) -> bytes:
        """Add the listener by the bot's answer of opcode 28, and return the commit alone, for opcode 29.

        Commit and welcome are joined without a length: the welcome begins where the listener can read one.
        Raises ValueError if there is none.
        """
        for place in range(len(commit_welcome)):
            if commit_welcome[place : place + len(_SUITE)] != _SUITE:
                continue
            try:
                self._session.process_welcome(commit_welcome[place:])
            except Exception:  # noqa: S112 (davey raises whatever MLS says; the bytes may stand elsewhere too)
                continue
            return commit_welcome[:place]
        raise ValueError("the commit has no welcome for the listener")

    def decrypt(self, user_id: int, packet: bytes) -> bytes:
        """Decrypt a member's packet. Raises ValueError if it was not encrypted for this group."""
        return self._session.decrypt(user_id, davey.MediaType.audio, packet)

    def _proposal(self, key_package: bytes) -> bytes:
        """Return the server's MLS message that proposes to add the sender of the key package."""
        content = (
            vector(struct.pack(">Q", self._channel_id))
            + struct.pack(">Q", 0)  # epoch
            + bytes([_EXTERNAL_SENDER])
            + struct.pack(">I", 0)  # its index
            + vector(b"")  # authenticated data
            + bytes([_PROPOSAL])
            + struct.pack(">H", _ADD)
            + key_package
        )
        head = struct.pack(">HH", _MLS, _PUBLIC_MESSAGE)
        signed = vector(b"MLS 1.0 FramedContentTBS") + vector(head + content)
        return head + content + vector(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
