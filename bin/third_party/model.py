"""Third-party parts: what a part is, and recipes by where it comes from. Reads locks, runs nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "requirements" / "parts"


@dataclass(frozen=True)
class Step:
    """One command of a recipe, run in `folder`; done once, it is not done again when the recipe is resumed.

    In `command`, `folder` and the values of `env`, `{part}` stands for the folder that the part is made in, `{work}`
    for one that is thrown away, `{root}` for this repository, `{gomod}` for Go's module cache and `{python}` for this
    interpreter. `prints` is what the output has to contain, else the step has failed: a checksum.
    """

    title: str
    command: tuple[str, ...]
    folder: str = "{part}"
    env: tuple[tuple[str, str], ...] = ()
    prints: str = ""


@dataclass(frozen=True)
class Part:
    """A program, or several of one origin, made by `steps` into a folder of its own.

    `programs` are the paths in that folder that have to be there at the end. `inputs` are files of this repository that
    the steps read. `seconds` and `megabytes` were measured on two cores, with nothing downloaded or compiled before.
    """

    name: str
    version: str
    about: str
    steps: tuple[Step, ...]
    programs: tuple[str, ...]
    seconds: int
    megabytes: int
    needs: tuple[str, ...] = ()  # other parts
    tools: tuple[str, ...] = ()  # programs of the machine
    inputs: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """A hash of recipe and inputs, 12 hexadecimal digits: another recipe makes another part."""
        total = hashlib.sha256(repr((self.version, self.steps, self.programs)).encode())
        for path in self.inputs:
            total.update(path.read_bytes())
        return total.hexdigest()[:12]

    @property
    def folder(self) -> str:
        """The part's folder below the cache."""
        return f"{self.name}/{self.version}+{self.digest}"


def go(
    name: str,
    module: str,
    checksum: str,
    packages: dict[str, str],
    *,
    about: str,
    seconds: int,
    megabytes: int,
    tags: str = "",
    symbols: str = "",
    copies: tuple[str, ...] = (),
    tools: tuple[str, ...] = ("go",),
) -> Part:
    """Programs of a Go module, `path@version`, with the `checksum` of go.sum; its own go.sum holds for the rest.

    `packages` has the package of each program, `tags` the build tags ({program} stands for its name), `symbols` the
    linker's -X settings, `copies` folders of the module to take along. It is built where the module cache has it, for
    `go install` refuses a module that replaces others.
    """
    path, _, version = module.partition("@")
    source = "{gomod}/" + f"{path}@{version}"
    get = ("go", "mod", "download", "-json", module)
    steps = [Step(f"download {path} {version}", get, prints=f'"Sum": "{checksum}"')]
    for program, package in packages.items():
        command = ["go", "build", "-p", "1", "-trimpath", "-mod=readonly", "-buildvcs=false"]
        command += ["-tags", tags.replace("{program}", program)] if tags else []
        command += ["-ldflags", f"-s -w {symbols}".strip(), "-o", f"{{part}}/bin/{program}", package]
        steps.append(Step(f"build {program}", tuple(command), source))
    for folder in copies:
        steps.append(Step(f"copy {folder}", ("cp", "-R", "--no-preserve=mode", folder, "{part}"), source))
    programs = tuple(f"bin/{program}" for program in packages)
    number = version.removeprefix("v")
    return Part(name, number, about, tuple(steps), programs, seconds, megabytes, tools=tools)


def npm(
    name: str,
    version: str,
    program: str,
    *,
    about: str,
    seconds: int,
    megabytes: int,
    rebuild: tuple[str, ...] = (),
    more: tuple[Step, ...] = (),
) -> Part:
    """A package of npm by the lock in requirements/parts/NAME. Of install scripts only those of `rebuild` are run."""
    lock = LOCKS / name
    files = (lock / "package.json", lock / "package-lock.json")
    install = ("npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts")
    steps = [
        Step("copy the lock", ("cp", *(str(path.relative_to(ROOT)) for path in files), "{part}"), "{root}"),
        Step("install the packages", install),
        *([Step(f"set up {' '.join(rebuild)}", ("npm", "rebuild", *rebuild))] if rebuild else []),
        *more,
    ]
    return Part(
        name,
        version,
        about,
        tuple(steps),
        (program,),
        seconds,
        megabytes,
        needs=("node",),
        inputs=files,
    )


def crate(
    name: str, crate: str, version: str, *, about: str, seconds: int, megabytes: int, locked: bool = True
) -> Part:
    """A program that cargo builds. Not `locked`: its own lock does not compile with the compilers of today."""
    command = ["cargo", "install", f"{crate}@{version}", "--root", "{part}", "--jobs", "1", "--quiet"]
    command += ["--locked"] if locked else []
    env = (("CARGO_TARGET_DIR", "{work}/target"),)
    step = Step(f"build {name}", tuple(command), env=env)
    return Part(name, version, about, (step,), (f"bin/{name}",), seconds, megabytes, tools=("cargo",))


def image(name: str, version: str, packages: str, *, about: str, seconds: int, megabytes: int) -> Part:
    """A root file system of Debian's packages as a tar, for `podman import`. It is signed by Debian's own keys."""
    command = ("mmdebstrap", "--variant=minbase", f"--include={packages}", "bookworm", "{part}/image.tar")
    step = Step(f"install {packages}", command)
    return Part(name, version, about, (step,), ("image.tar",), seconds, megabytes, tools=("mmdebstrap",))
