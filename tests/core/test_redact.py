"""What strangers must not read is hidden, however it is written."""

import json

import pytest

from r1chat.core.redact import everywhere, redactor


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/zaphod", "~"),
        ("'/home/zaphod/models' is full", "'~/models' is full"),
        ("/home/zaphodb/models", "/home/zaphodb/models"),
        (r"C:\Users\Zaphod B\x", r"~\x"),
        (r"'c:\\users\\zaphod b\\x'", r"'~\\x'"),
        ("C:/Users/Zaphod B", "~"),
        ("/mnt/zaphod-2/ZAPHOD", "/mnt/<user>-2/<user>"),
        ("zaphod's, zaphods", "<user>'s, zaphods"),
        ("Bearer hf_QWERTYUIOPas", "Bearer <secret>"),
        ("my-own-token, and hf_hub_download", "<secret>, and hf_hub_download"),
        ("/root/zz", "/root/zz"),
    ],
)
def test_homes_names_and_tokens_are_hidden(text: str, shown: str) -> None:
    """A home folder becomes ~ in any spelling of its path; a name is hidden as a word, a secret anywhere."""
    redact = redactor(["/home/zaphod", r"C:\Users\Zaphod B", "/", ""], ["zaphod", "root", "z"], ["my-own-token", ""])
    assert shown == redact(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://trillian:p4ss%2Fw0rd@proxy.example:3128",
        "http://trillian:p4ss/w0rd@proxy.example:3128",
        "trillian:p4ss/w0rd@proxy.example:3128",
    ],
)
def test_a_password_in_an_address_is_hidden_wherever_it_stands(url: str) -> None:
    """In the address, alone, quoted and unquoted; the name too. The host is kept."""
    redact = redactor([], [], [], [url])
    text = redact(f"{url} refuses p4ss%2Fw0rd (p4ss/w0rd) of trillian: 'trillian:p4ss/w0rd'")
    assert "proxy.example:3128 refuses" in text
    assert not any(word in text for word in ("p4ss", "w0rd", "trillian"))


def test_an_address_nobody_told_of_loses_its_credentials() -> None:
    """Name and password before a host are hidden even where they were not known; a path with @ is left."""
    redact = redactor([], [], [])
    assert "ftp://<secret>@host/x http://host/a@b" == redact("ftp://me:pw@host/x http://host/a@b")


def test_what_is_owned_by_a_home_is_hidden_elsewhere() -> None:
    """The owner of /home/NAME is a user's name, also on other disks."""
    assert "/scratch/<user>/x ~" == redactor(["/home/arthur"], [], [])("/scratch/arthur/x /home/arthur")


def test_values_are_redacted_to_their_depth() -> None:
    """Texts in lists and dicts are redacted; keys and other values stay."""
    value = {"zaphod": ["zaphod", {"a": ("/home/zaphod/x", 1, None, True)}]}
    hidden = everywhere(redactor(["/home/zaphod"], [], []), value)
    assert {"zaphod": ["<user>", {"a": ["~/x", 1, None, True]}]} == hidden
    json.dumps(hidden)
