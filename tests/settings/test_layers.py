"""Settings: what is given where, what wins, what is refused and in which words."""

from pathlib import Path

import pytest

from r1chat.chat import Options
from r1chat.core.memory import ALL_LAYERS, Wishes
from r1chat.core.sampling import Sampling
from r1chat.engine.base import ThinkBudget
from r1chat.errors import UsageError
from r1chat.settings import debug, uses
from r1chat.settings.layers import Settings, load
from r1chat.settings.table import SETTINGS, When, find

EVERYWHERE = """
temperature = 0.1
profile = "math"
[models.7b]
temperature = 0.2
[profiles.math]
temperature = 0.3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of a settings file that is not there yet."""
    return tmp_path / "config.toml"


def refusal(file: Path, text: str) -> UsageError:
    """Write the file, and give what is said against it."""
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        load({}, file)
    return caught.value


def test_each_layer_wins_over_the_one_below(file: Path) -> None:
    """Defaults < file < its section of the model < profile < environment < option < /set, each with its origin."""
    assert (0.6, "default") == of(load({}, file))
    file.write_text("temperature = 0.1")
    assert (0.1, "config.toml:1") == of(load({}, file).for_model(["7b"]))
    file.write_text(EVERYWHERE.replace('profile = "math"', ""))
    assert (0.1, "config.toml:2") == of(load({}, file).for_model(["14b"]))
    assert (0.2, "config.toml:5") == of(load({}, file).for_model(["7b"]))
    file.write_text(EVERYWHERE)
    assert (0.3, "config.toml:7 (profile math)") == of(load({}, file).for_model(["7b"]))
    environ = {"R1CHAT_TEMP": "0.4"}
    assert (0.4, "R1CHAT_TEMP") == of(load(environ, file).for_model(["7b"]))
    flagged = load(environ, file, {"temperature": "0.5"}).for_model(["7b"])
    assert (0.5, "--temp") == of(flagged)
    changed = flagged.change("temp", "0.7")
    assert (0.7, "/set") == of(changed)
    assert (0.5, "--temp") == of(changed.change("temperature", "default"))


def of(settings: Settings) -> tuple[float, str]:
    """The temperature and its origin."""
    return settings["temperature"], settings.origin("temperature")


def test_a_profile_may_be_named_anywhere(file: Path) -> None:
    """By the file, the environment, the option, in a session; one that is not there is an error."""
    file.write_text("[profiles.math]\nmath = true\n[profiles.other]\nmodel = '14b'")
    assert not load({}, file)["math"]
    assert load({"R1CHAT_PROFILE": "math"}, file)["math"]
    assert "14b" == load({"R1CHAT_PROFILE": "math"}, file, {"profile": "other"})["model"]
    assert load({}, file).change("profile", "math")["math"]
    with pytest.raises(UsageError, match="--profile: there is no profile 'mth'") as caught:
        load({}, file, {"profile": "mth"})
    assert "Did you mean math?" == caught.value.hint
    with pytest.raises(UsageError, match="there is no profile"):
        load({}, file).change("profile", "maht")


def test_a_section_of_one_form_wins_over_that_of_all_forms(file: Path) -> None:
    """Names are compared as the catalogue compares them, and the more exact one wins wherever it stands."""
    file.write_text('[models."R1:7B_q8_0"]\nseed = 8\n[models.7b]\nseed = 7\ntop_k = 3\n[models.14b]\nseed = 14')
    names = ("deepseek-r1-distill-qwen-7b", "7b", "r1:7b", "7b:Q8_0", "r1:7b:Q8_0")
    settings = load({}, file).for_model(names)
    assert (8, 3) == (settings["seed"], settings["top_k"])
    assert (7, 3) == (load({}, file).for_model(names[:3])["seed"], settings["top_k"])


def test_hosts_for_the_token_add_up(file: Path) -> None:
    """Hosts that may see the token come from the environment and from the settings file together."""
    assert ("a", "b") == load({"R1CHAT_TOKEN_HOSTS": "a, b"}, file)["token_hosts"]
    file.write_text('token_hosts = ["hub.example.org"]')
    settings = load({"R1CHAT_TOKEN_HOSTS": "a"}, file)
    assert ("a", "hub.example.org") == settings["token_hosts"]
    assert "R1CHAT_TOKEN_HOSTS, config.toml:1" == settings.origin("token_hosts")


def test_an_empty_variable_says_nothing() -> None:
    """As in a shell, empty counts as unset; R1CHAT_DEBUG is read on its own."""
    assert load({"R1CHAT_MODEL": "", "R1CHAT_TEMP": ""})["model"] is None
    assert [False, False, True] == [debug({}), debug({"R1CHAT_DEBUG": "0"}), debug({"R1CHAT_DEBUG": "1"})]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("model = 7b", 1, "newline"),
        ("a = 1\n[models.7b:q8_0]\n", 2, "]"),
        ('model = "', 1, "string"),
        ("\n\ntemperature = 'hot'", 3, "temperature can't be 'hot'"),
        ("temperature = 9", 1, "must lie between 0 and 5"),
        ("temperature = nan", 1, "must lie between 0 and 5"),
        ("temperature = true", 1, "temperature can't be true"),
        ("temperature = [1]", 1, "temperature can't be a list"),
        ("temperature = 1979-05-27", 1, "temperature can't be 1979-05-27"),
        ("temperature = {a = 1}", 1, "temperature can't be a table"),
        ("top_k = 1.5", 1, "top_k can't be 1.5"),
        ("seed = -1", 1, "out of range"),
        ("ctx = 8", 1, "too small"),
        ("threads = 0", 1, "threads can't be 0"),
        ("system = 3", 1, "system can't be 3"),
        ("token_hosts = 3", 1, "token_hosts can't be 3"),
        ("math = 'perhaps'", 1, "math can't be 'perhaps'"),
        ("think_budget = 'soon'", 1, "think_budget can't be 'soon'"),
        ("token_hosts = [1, {}]", 1, "token_hosts can't be a list"),
        ("\n[models.7b]\ntemprature = 1", 3, "there is no setting 'temprature'"),
        ("[profiles.math]\ntoken_hosts = []", 2, "can't stand in a section"),
        ("[models.7b]\nmodel = '14b'", 2, "can't stand in a section"),
        ("[profiles.a]\nprofile = 'b'", 2, "can't stand in a section"),
        ("\ntop-k = 1\ntop_k = 2", 3, "is there twice"),
        ("models = 3", 1, "models is no setting"),
        ("[models]\n7b = 3", 2, "7b in models is no table"),
        ("[[models]]\nname = '7b'", 1, "models is no setting"),
        ("[model.7b]\nseed = 1", 1, "there is no section 'model'"),
        ("\n[profile.math]\nmath = true", 2, "no section"),
    ],
)
def test_a_mistake_is_told_with_its_line(file: Path, text: str, line: int, words: str) -> None:
    """File, line, one sentence, and a way out."""
    error = refusal(file, text)
    assert error.message.startswith(f"{file}:{line}: ")
    assert words in error.message
    assert error.hint or "between" in error.message


def test_a_mistyped_name_is_recognised(file: Path) -> None:
    """The nearest setting, or section, is offered."""
    assert "Did you mean temperature?" == refusal(file, "temprature = 1").hint
    assert "Did you mean models?" == refusal(file, "[model]\nx = 1").hint
    assert "Did you mean profiles?" == refusal(file, "[profile.math]\nmath = true").hint


def test_a_file_that_is_none(file: Path) -> None:
    """What is no text, or no file, is refused by name; one that is not there says nothing."""
    assert Settings(load({}, file).config) == load({}, file)
    assert "a number that is too long" in refusal(file, f"seed = {'9' * 5000}").message
    file.write_bytes(b"a = 1\n# \xff")
    with pytest.raises(UsageError, match=r"config\.toml:2: this is not UTF-8"):
        load({}, file)
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match="can't be read"):
        load({}, file)


def test_line_ends_and_a_mark_at_the_beginning_do_not_matter(file: Path) -> None:
    """A file of Windows is read like any other."""
    file.write_bytes(b"\xef\xbb\xbf# a comment\r\nseed = 5\r\n")
    assert (5, "config.toml:2") == (load({}, file)["seed"], load({}, file).origin("seed"))


def test_a_word_in_the_environment_that_makes_no_sense() -> None:
    """The variable is named."""
    with pytest.raises(UsageError, match=r"^R1CHAT_TOP_K: top_k can't be 'x'"):
        load({"R1CHAT_TOP_K": "x"})


def test_what_can_not_be_changed_in_a_session() -> None:
    """The way that there is instead is told; so is the nearest name of an unknown setting."""
    with pytest.raises(UsageError) as caught:
        Settings().change("model", "7b")
    assert "/model changes the model." == caught.value.hint
    with pytest.raises(UsageError, match="no setting 'temprature'") as caught:
        Settings().change("temprature", "1")
    assert "Did you mean temperature?" == caught.value.hint


def test_values_reach_the_chat_and_the_plan() -> None:
    """Each value that the chat and the plan take comes from its setting; the defaults are theirs."""
    assert (Options(), Wishes()) == (uses.options(Settings()), uses.wishes(Settings()))
    words = {
        "temperature": "0.1",
        "top_p": "0.2",
        "top_k": "3",
        "min_p": "0.4",
        "repeat_penalty": "1.5",
        "seed": "6",
        "stop": ["a", "b"],
        "max_tokens": "7",
        "think_budget": "8s",
        "think": False,
        "pace": "9",
        "ctx": "1024",
        "threads": "2",
        "gpu_layers": "all",
        "kv": "Q8_0",
        "cpu_moe": "3",
        "vram": "24G,512M",
        "ram": "1GB",
        "margin": "1.5G",
    }
    settings = load({}, None, words)
    sampling = Sampling(0.1, 0.2, 3, 0.4, 1.5, 6)
    expected = Options(sampling, 7, ThinkBudget(seconds=8), think=False, stop=("a", "b"), pace=9)
    assert expected == uses.options(settings)
    vram = (24 * 2**30, 512 * 2**20)
    wishes = Wishes(1024, 2, ALL_LAYERS, kv="q8_0", vram=vram, ram=10**9, margin=3 * 2**29, n_cpu_moe=3)
    assert wishes == uses.wishes(settings)
    assert "--no-think" == settings.origin("think")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_value_is_written_as_it_is_read(name: str) -> None:
    """The text of a setting's value gives the value again, and 'default' in a session gives the default."""
    setting = SETTINGS[name]
    words = {"gpu_layers": "all", "token_hosts": "a, b", "vram": "24G, 1536M", "think_budget": "30s", "stop": "END"}
    word = words.get(name) or next(iter(setting.kind.words[::-1]), "") or ("4096" if name == "ctx" else "1")
    value = setting.read(word, "")
    assert value == setting.read(setting.kind.text(value), "")
    assert find(setting.word) is find(setting.flag or name) is find(name.replace("_", "-").upper()) is setting
    if setting.when is not When.START and name != "profile":
        assert Settings() == Settings().change(name, word).change(name, "default")
