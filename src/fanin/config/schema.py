"""The configuration: its schema, its checks, and what a wrong value is answered with.

Hydra checks names and types while it composes; `check` adds the ranges; `build` makes the
objects that the groups name. Whatever a user gets wrong becomes a SettingError, one line that
names the setting, the value and what would work.
"""

import errno
import inspect
import logging
import os
import pickle
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NoReturn, cast

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from hydra.utils import get_class, instantiate
from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)
from yaml import YAMLError

from fanin.config.spelling import did_you_mean, nearest
from fanin.measure.claims import Claim

PROJECT = Path(os.environ.get("FANIN_PROJECT") or Path(__file__).resolve().parents[3])
"""Where run.py, conf/, experiments/ and outputs/ are; run.py says so to its workers too."""

GROUPS = ("init", "activation", "data", "loss", "device")
CHOICES = {
    "dtype": ("float32", "float64", "bfloat16", "float16"),
    "engine": ("manual", "autograd_function", "module"),
    "matmul": ("loops", "rows", "broadcast", "einsum", "builtin"),
    "device.name": ("auto", "cpu", "cuda", "mps"),
}
NON_MODEL_KEYS = ("tracking", "claims", "sweep", "from_run")
"""Settings that say how a run comes about, and not what it is."""
Choices = Mapping[str, str | None]
MIN_VALUES = {
    "depth": 0,
    "hidden_size": 1,
    "batch_size": 1,
    "replicas": 1,
    "seed": 0,
    "timing.warmup": 0,
    "timing.repeats": 1,
    "tracking.timeout": 1,
}
MAX_SEED = 2**32 - 1  # torch's generator on the CPU reads 32 bits of a seed


@dataclass
class Timing:
    warmup: int = MISSING
    repeats: int = MISSING
    product: bool = MISSING


@dataclass
class Tracking:
    uri: str = MISSING
    experiment: str | None = None
    timeout: int = MISSING
    parent: str | None = None
    job: int | None = None


@dataclass
class Sweeping:
    """How a sweep is run; nothing of it reaches a job."""

    resume: bool = False
    plan: bool = False
    exclude: Any = field(default_factory=list)
    save_as: str | None = None


@dataclass
class Claims:
    """What an experiment file expects; `strict` ends the process with status 1 if it is wrong."""

    strict: bool = False
    made: list[Claim] = field(default_factory=list)


@dataclass
class Config:
    """The values of a run, typed; the groups are checked when their objects are built."""

    init: Any = MISSING
    activation: Any = MISSING
    data: Any = MISSING
    loss: Any = MISSING
    device: Any = MISSING
    depth: int = MISSING
    hidden_size: int = MISSING
    batch_size: int = MISSING
    replicas: int = MISSING
    seed: int = MISSING
    dtype: str = MISSING
    engine: str = MISSING
    matmul: str = MISSING
    jacobian: bool = MISSING
    timing: Timing = MISSING
    tracking: Tracking = MISSING
    claims: Claims = field(default_factory=Claims)
    sweep: Sweeping = field(default_factory=Sweeping)
    from_run: str | None = None


_UNREADABLE = "cannot be read"
_TRACEBACK_WANTED = os.environ.get("HYDRA_FULL_ERROR") == "1"
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it logs what we answer


class SettingError(Exception):
    """Something that the user can put right. Its text is one line."""


def register() -> None:
    """Tell Hydra of the schema, and of what stands in conf/ as ${...:}."""
    OmegaConf.register_new_resolver("project", lambda: str(PROJECT), replace=True)
    OmegaConf.register_new_resolver("store", _store, replace=True)
    OmegaConf.register_new_resolver("devices", _devices, replace=True)
    OmegaConf.register_new_resolver("cores", cores, replace=True)
    OmegaConf.register_new_resolver("share", _share, replace=True)
    ConfigStore.instance().store(name="schema", node=Config)


def _experiments() -> list[str]:
    """The names of the files in experiments/, such as chapter/fifty_layers."""
    folder = PROJECT / "experiments"
    return sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.yaml"))


def _store() -> str:
    """MLflow's own variable, or the database in outputs/."""
    default = f"sqlite:///{PROJECT}/outputs/mlflow.db"
    return absolute_uri(os.environ.get("MLFLOW_TRACKING_URI") or default)


def absolute_uri(uri: str) -> str:
    """The same address wherever a job runs: a database's file from here on."""
    path = uri.removeprefix("sqlite:///")
    if path == uri:
        return uri
    here = HydraConfig.get().runtime.cwd if HydraConfig.initialized() else os.getcwd()
    return f"sqlite:///{Path(here, path)}"


def _devices() -> str:
    """For an experiment that sweeps every device present: `device: ${devices:}`."""
    from fanin.nn.device import present  # torch, which no other experiment needs yet

    return ",".join(present())


def cores() -> int:
    """For a launcher: how many cores this process may use, a container's limit included."""
    from joblib import cpu_count  # which scikit-learn brings

    return int(cpu_count())


def _share(workers: int, whole: int | None = None) -> int:
    """For a launcher: the cores of one of so many workers (-1: of as many as there are cores).

    They share this machine, or `whole`; a single run, which has no launcher, has this machine.
    """
    if HydraConfig.initialized() and is_single_run():
        return cores()
    whole = whole or cores()
    return max(1, whole // workers) if workers > 0 else 1


def experiment(path: Path) -> DictConfig:
    """An experiment file: always a sweep, its claims beside claims.strict.

    `activation: tanh` in it chooses the option, as on the command line.

    One that cannot be read hinders no other: choosing it says what is wrong.
    """
    try:
        node = OmegaConf.load(path)
    except YAMLError as error:
        node = OmegaConf.create({f"{_UNREADABLE}: {' '.join(str(error).split())}": None})
    if not isinstance(node, DictConfig):
        node = OmegaConf.create({f"{_UNREADABLE}: write NAME: VALUE": None})
    if isinstance(node.get("claims"), ListConfig):
        node.claims = {"made": node.claims}
    options = [group for group in GROUPS if isinstance(node.get(group), str)]
    chosen_here = [{f"override /{group}": node.pop(group)} for group in options]
    node.defaults = [*node.get("defaults", []), *chosen_here]
    OmegaConf.update(node, "hydra.mode", "MULTIRUN", force_add=True)
    return node


def arguments(typed: Sequence[str]) -> list[str]:
    """What was typed, in the order that Hydra reads: its flags first. Raises SettingError."""

    def refuse(message: str) -> NoReturn:
        raise SettingError(f"{message.removeprefix('argument ')}; see --help")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    read, unknown = parser.parse_known_intermixed_args(typed)
    if unknown:
        raise SettingError(_no_such_flag(unknown[0], typed))
    flags = list(typed)
    for override in read.overrides:
        flags.remove(override)
    return [*flags, *read.overrides]


def _no_such_flag(flag: str, typed: Sequence[str]) -> str:
    """Whoever writes --depth=10 or --depth 10 means depth=10."""
    name, _, value = flag.lstrip("-").partition("=")
    after = "".join(typed[typed.index(flag) + 1 :][:1])
    if not value and after and "=" not in after:
        flag, value = f"{flag} {after}", after
    return f"{flag}: no such flag; " + (f"write {name}={value}" if value else "see --help")


def composed(overrides: Sequence[str]) -> tuple[DictConfig, Choices]:
    """The configuration that run.py would have from these overrides, and what they choose."""
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    choices = chosen(config.hydra)
    config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    check(config)
    return complete(config), choices


def check(config: DictConfig) -> None:
    """The names, and the values that have a range or a list. Raises SettingError."""
    _check_names(config)
    for setting, least in MIN_VALUES.items():
        value = OmegaConf.select(config, setting)
        if value is None:
            raise SettingError(f"{setting} is missing: give it a whole number, {least} or more")
        if value < least:
            raise SettingError(f"{setting}={value}: use a whole number, {least} or more")
    for setting, choices in CHOICES.items():
        value = OmegaConf.select(config, setting)
        if value not in choices:
            meant = did_you_mean(str(value), choices)
            raise SettingError(f"{setting}={value}: use one of {', '.join(choices)}{meant}")
    if config.seed + config.replicas - 1 > MAX_SEED:
        raise SettingError(
            f"seed={config.seed} replicas={config.replicas}: "
            "use numbers whose sum is at most 2^32, since each replica has a seed of its own"
        )
    if not config.tracking.uri:
        raise SettingError("tracking.uri is empty: give it the address of a server or a database")
    if re.match(r"sqlite:(?!///[^:])", config.tracking.uri):
        raise SettingError(f"tracking.uri={config.tracking.uri}: write sqlite:///FILE")


def reject_sweep_options(config: DictConfig) -> None:
    """What belongs to a sweep is not set for a single run. Raises SettingError."""
    if config.from_run is not None:
        raise SettingError(f"from_run={config.from_run}: is repeated as a sweep; add -m")
    for name, value in config.sweep.items():
        if value:
            shown = "true" if value is True else value
            raise SettingError(f"sweep.{name}={shown}: belongs to a sweep; add -m")


def _check_names(config: DictConfig) -> None:
    """No setting too many, none too few, and a group is an option of it."""
    known = [field.name for field in fields(Config)]
    for name in map(str, config):
        if name not in known:
            raise SettingError(f"{name}: no such setting{nearest(name, known)}")
    for name in known:
        if name not in config:  # or its value is ???, which Hydra counts as not there
            raise SettingError(f"{name} is missing: give it a value")
    for group in GROUPS:
        if not isinstance(config[group], DictConfig):
            raise SettingError(f"{group}={config[group]}: use the name of one option")


def chosen(hydra: Any) -> Choices:
    """The option of each group by name, from Hydra's own part. Raises SettingError."""
    choices = hydra.runtime.choices
    for group in GROUPS:
        if not isinstance(choices.get(group), str):
            raise SettingError(f"{group}: use the name of one option, or -m and commas for several")
    for group in (*GROUPS, "experiment"):
        option = choices.get(group)
        if option and option.endswith((".yaml", ".yml")):  # Hydra would take it for the name
            known = nearest(option, options(group))
            raise SettingError(f"{group}={option}: no such option{known}")
    return {name: choices.get(name) for name in (*GROUPS, "experiment")}


def options(group: str) -> list[str]:
    """The options of a group by name."""
    if group == "experiment":
        return _experiments()
    return sorted(path.stem for path in (PROJECT / "conf" / group).glob("*.yaml"))


def option(group: str, name: str, kind: type) -> Any:
    """What an option's file describes, on its own defaults. Raises SettingError."""
    return build(OmegaConf.create({group: _written(group, name)}), group, kind)


@cache
def _written(group: str, name: str) -> DictConfig:
    """What an option's file says."""
    return cast(DictConfig, OmegaConf.load(PROJECT / "conf" / group / f"{name}.yaml"))


def own_settings(config: DictConfig, group: str, name: str) -> list[str]:
    """The settings of a group that are not as its option's file has them.

    None for an option from another folder, whose file is not at hand.
    """
    if name not in options(group):
        return []
    written = _written(group, name)
    return [str(key) for key in config[group] if config[group][key] != written.get(key)]


def complete(config: DictConfig) -> DictConfig:
    """The configuration with every value resolved and of its class's own type.

    Raises SettingError.
    """
    return OmegaConf.create(completed(config))


def completed(config: DictConfig) -> dict[str, Any]:
    """The same as plain values.

    Where the class of a group is a dataclass, its field types are the schema of the group: then
    2 and 2.0 are one scale, for a run's record too. Raises SettingError.
    """
    values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    for group in GROUPS:
        node = values[group]
        target = node.pop("_target_", None)
        if target is None:
            if group == "device":
                continue
            raise SettingError(f"{group}: its file has no _target_; name a class there")
        with _naming(group):
            values[group] = {"_target_": target, **_typed(target, pickle.dumps(node))}
    values["tracking"]["uri"] = absolute_uri(values["tracking"]["uri"])
    return values


@lru_cache(maxsize=64)  # the jobs of a sweep have few of them; as bytes, 2 and 2.0 are two
def _typed(target: str, node: bytes) -> dict[str, Any]:
    """The settings of a group, in the types of its class."""
    found, settings = get_class(target), pickle.loads(node)
    if is_dataclass(found):
        typed = OmegaConf.merge(OmegaConf.structured(found), settings)
        settings = OmegaConf.to_container(typed, throw_on_missing=True)
    return cast(dict[str, Any], settings)


def foreign_sources(values: Mapping[str, Any]) -> list[Path]:
    """The files of those classes in a complete configuration that are not fanin's."""
    targets = (values[group].get("_target_", "fanin") for group in GROUPS)
    classes = [get_class(target) for target in targets if target.split(".")[0] != "fanin"]
    return [Path(file) for kind in classes if (file := inspect.getsourcefile(kind))]


def build(config: DictConfig, group: str, kind: type) -> Any:
    """The object that a group of a complete configuration describes. Raises SettingError."""
    with _naming(group):
        made = instantiate(config[group])
    if not isinstance(made, kind):
        raise SettingError(f"{group}._target_={config[group]._target_}: not a {kind.__name__}")
    return made


@contextmanager
def _naming(group: str) -> Iterator[None]:
    """What a class refuses begins with a setting: put the group in front of it."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, ImportError) as error:
        line = explain(error)
        begins_with_setting = re.match(r"\w+(=| is missing|: no such setting)", line)
        raise SettingError(f"{group}{'.' if begins_with_setting else ': '}{line}") from error


def check_disk(setting: str, folder: Path, needed: int) -> None:
    """There is room for that many bytes in a folder, made or not. Raises SettingError.

    `setting` is what names the folder, such as hydra.run.dir=/tmp/x.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise SettingError(f"{setting}: {there} is no folder that can be written to")
    free = shutil.disk_usage(there).free
    if free < needed:
        raise SettingError(
            f"{setting}: needs {_size(needed)} and its disk has {_size(free)} free; "
            "name a place on another"
        )


def _size(count: int) -> str:
    """Bytes, as they are said: 700 kB, 12 MB."""
    units = ("kB", "MB", "GB", "TB")
    steps = min(max((len(str(count)) - 4) // 3, 0), len(units) - 1)
    return f"{count / 1000 ** (steps + 1):,.3g} {units[steps]}"


def is_single_run() -> bool:
    """Whether the job at hand is a single run, and no part of a sweep."""
    return bool(HydraConfig.get().mode != RunMode.MULTIRUN)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the process with one line and status 1 where the user got something wrong."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves its exceptions to us
    for end in (signal.SIGTERM, signal.SIGHUP):  # the runs are closed, as with Ctrl-C
        if signal.getsignal(end) is not signal.SIG_IGN:  # nohup
            signal.signal(end, signal.default_int_handler)
    try:
        yield
    except Exception as error:
        if _TRACEBACK_WANTED or not _is_answer(error):
            raise
        sys.exit(f"fanin: {explain(error)}")
    except KeyboardInterrupt as interruption:
        print("fanin: interrupted", *map(str, interruption.args), file=sys.stderr)
        sys.exit(130)


def _is_answer(error: Exception) -> bool:
    """Whether it tells the user of a mistake, and not us of one."""
    if isinstance(
        error, (SettingError, HydraException, OmegaConfBaseException, OSError, YAMLError)
    ):
        return True
    # What Hydra says to activation=null, or to --run with -m.
    return isinstance(error, (ValueError, AssertionError)) and _is_hydras(error)


def _is_hydras(error: Exception) -> bool:
    """Whether Hydra raised it, and not what it called."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return bool(last and last.tb_frame.f_globals["__name__"].startswith(("hydra.", "omegaconf.")))


def explain(error: Exception) -> str:
    """One line for what Hydra, OmegaConf or our own classes refuse: the setting first."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: not a setting that can be read; "
            "write NAME=VALUE, without spaces and in quotes where it has brackets"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(str(error.missing_cfg_file), list(error.options or ()))
    if isinstance(error, HydraException) and isinstance(cause, Exception):
        return _named_file(error) + explain(cause)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return _explain_value(error)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; name a folder with hydra.run.dir or hydra.sweep.dir"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        numbers = rf"({'|'.join(GROUPS)})=([-+.\d]|null$|true$|false$)"
        wrong = " ".join(a for a in sys.argv[1:] if re.match(numbers, a, re.IGNORECASE))
        groups = ", ".join(GROUPS)
        return (
            f"{wrong or '='}: a group takes the name of an option, as in activation=relu ({groups})"
        )
    line = " ".join(str(error).split())
    for pattern, answer in HYDRA_MESSAGES:
        line = pattern.sub(answer, line)
    return line


def _no_such_option(path: str, known: Sequence[str]) -> str:
    if "/" not in path:
        return f"--config-name={path}: no such file in conf/"
    if path.startswith("experiment/"):
        group, _, option = path.partition("/")
        known = _experiments()
    else:
        group, _, option = path.rpartition("/")
    return f"{group}={option}: no such option{nearest(option, known)}"


def _named_file(error: HydraException) -> str:
    """Whose mistake it is, where it stands in an experiment file."""
    file = re.match(r"In 'experiment/([^']*)'", str(error))
    return f"experiments/{file[1]}.yaml: " if file else ""


def _explain_value(error: OmegaConfBaseException) -> str:
    name, said = error.full_key, str(error).splitlines()[0]
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        return _no_such_setting(error)
    if isinstance(error, MissingMandatoryValue):
        return f"{name} is missing: give it a value"
    if "does not support deletion" in said:
        return f"~{name}: it cannot be left out; give it another value"
    if "is not Optional" in said or "Incompatible value 'None'" in said:
        return f"{name}=null: give it a value"
    for pattern, answer in OMEGACONF_MESSAGES:
        wrong = pattern.search(said)
        if wrong:
            return f"{name}={wrong[1]}: {wrong.expand(answer)}"
    if isinstance(error, ValidationError) and said.startswith("Invalid type assigned"):
        holds = ", ".join(_keys(error.parent_node, str(error.key)))
        value = said.rpartition("value: ")[2]
        if not holds:
            return f"{name}={value}: it cannot be that"
        return f"{name}={value}: set what it holds one by one, {name}.NAME=VALUE ({holds})"
    return f"{name}: {said}"


def _no_such_setting(error: OmegaConfBaseException) -> str:
    key, name = str(error.key), str(error.full_key)
    if key.startswith(_UNREADABLE):
        return key
    siblings = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
    known = [str(other) for other in siblings if other not in ("_target_", "hydra")]
    everything = f" ({', '.join(known)})" if known else ""
    for other in known:
        if key in _keys(siblings, other):
            return f"{name}: no such setting; did you mean {other}.{key}?{everything}"
    group = name.partition(".")[0]
    having = [
        f"; {group}={option} has one" for option in options(group) if _has(group, option, key)
    ]
    return f"{name}: no such setting{''.join(having[:1]) or did_you_mean(key, known)}{everything}"


def _keys(node: Any, name: str) -> list[str]:
    """The settings in a part of a configuration; none where it is no such part."""
    if not isinstance(node, DictConfig) or OmegaConf.is_missing(node, name):
        return []
    inside = OmegaConf.select(node, name)
    return list(map(str, inside)) if isinstance(inside, DictConfig) else []


def _has(group: str, option: str, name: str) -> bool:
    """Whether an option's file has a setting. Its text is read: it may be broken YAML."""
    text = (PROJECT / "conf" / group / f"{option}.yaml").read_text()
    return bool(re.search(rf"^{re.escape(name)}:", text, re.MULTILINE))


_UNWRITABLE = (
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
)  # fmt: skip
HYDRA_MESSAGES = (
    (
        re.compile(r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)' .*"),
        r"\1: several values are a sweep; add -m",
    ),
    (
        re.compile(r"Multiple values for (\S+)\. To override .* 'override \S+: (.*)'"),
        r"+\1=\2: one is chosen already; write \1=\2",
    ),
    (
        re.compile(r"Could not append to config\. .* Either remove \+ prefix: '(.*?)' Or .*"),
        r"+\1: it is there already; write \1",
    ),
    (re.compile(r"force-add of config groups .*: '\+\+(.*)'"), r"++\1: write \1"),
    (
        re.compile(r"Could not delete from config\. '(.*)' does not exist\."),
        r"~\1: no such setting",
    ),
)
OMEGACONF_MESSAGES = (
    (
        re.compile(r"Value '((\d+)\.0)' of type .* could not be converted to Integer"),
        r"use a whole number, \2",
    ),
    (re.compile(r"Value '(.*)' of type .* to Integer"), "use a whole number"),
    (re.compile(r"Value '(.*)' of type .* could not be converted to Float"), "use a number"),
    (re.compile(r"Value '(.*)' (?:is not a valid bool|.* to Boolean)"), "use true or false"),
    (re.compile(r"Cannot convert '\w+' to string: '(.*)'"), "use one word"),
    (re.compile(r"Cannot merge (Dict)Config with ListConfig"), "use a list, in brackets"),
)
