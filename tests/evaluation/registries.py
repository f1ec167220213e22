"""Corpora and witnesses from package registries, by their ordinary clients, fetched once into the cache."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

from figures import CannotRun


def _do(command, **options):
    try:
        subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=600, **options)
    except FileNotFoundError as why:
        raise CannotRun(f"{command[0]} is not installed") from why
    except subprocess.TimeoutExpired as why:
        raise CannotRun(f"{command[0]}: no answer in 600 s") from why
    except subprocess.CalledProcessError as why:
        said = (why.stderr or why.stdout).strip().splitlines()
        raise CannotRun(f"{' '.join(map(str, command[:3]))}: {said[-1] if said else why.returncode}") from why


def _once(folder, pattern, fetch):
    """The file of this pattern, fetched if it is not there. What is fetched by halves is no file of that name."""
    if not (found := sorted(folder.glob(pattern))):
        fetch(folder)
        found = sorted(folder.glob(pattern))
    if not found:
        raise CannotRun(f"nothing like {pattern} was fetched")
    return found[-1]


def sdist(evaluation, package, version):
    """The source distribution of a Python package."""

    def fetch(folder):
        _do(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--dest",
                folder,
                f"{package}=={version}",
            ]
        )

    return _once(evaluation.cache("pypi"), f"{package.replace('-', '?')}-{version}*", fetch)


def wheel(evaluation, package, version):
    """The folder into which a Python package is installed, for `PYTHONPATH`."""
    target = evaluation.cache("pypi") / f"installed-{package}-{version}"
    if not target.exists():
        unfinished = target.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _do([sys.executable, "-m", "pip", "install", "--quiet", "--target", unfinished, f"{package}=={version}"])
        unfinished.rename(target)
    return target


def _apt(evaluation):
    """Environment in which apt knows the sources of this machine and their source packages, in lists of its own."""
    folder = evaluation.cache("apt")
    configuration = folder / "apt.conf"
    if not configuration.exists():
        for name in ("sources.d", "lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for file in pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"):
            text = file.read_text(encoding="utf-8")
            (folder / "sources.d" / file.name).write_text(text.replace("Types: deb\n", "Types: deb deb-src\n"))
        if (old := pathlib.Path("/etc/apt/sources.list")).exists():
            lines = [line for line in old.read_text(encoding="utf-8").splitlines() if line.startswith("deb ")]
            sources = lines + [line.replace("deb ", "deb-src ", 1) for line in lines]
            (folder / "sources.d" / "old.list").write_text("\n".join(sources) + "\n")
        unfinished = folder / "unfinished.conf"
        unfinished.write_text(
            f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{folder / "sources.d"}";\n'
            f'Dir::State::lists "{folder / "lists"}";\nDir::Cache "{folder}";\nDebug::NoLocking "true";\n'
            'APT::Sandbox::User "root";\n'
        )
        _do(["apt-get", "update"], env={**os.environ, "APT_CONFIG": str(unfinished)})
        unfinished.rename(configuration)
    return {**os.environ, "APT_CONFIG": str(configuration)}


def debian_source(evaluation, package):
    """The original source archive of a Debian package."""

    def fetch(folder):
        _do(["apt-get", "source", "--download-only", package], env=_apt(evaluation), cwd=folder)

    return _once(evaluation.cache("debian"), f"{package}_*.orig.tar.*", fetch)


def debian_package(evaluation, package):
    """The folder into which a Debian package is unpacked."""

    def fetch(folder):
        _do(["apt-get", "download", package], env=_apt(evaluation), cwd=folder)

    archive = _once(evaluation.cache("debian"), f"{package}_*.deb", fetch)
    target = archive.with_suffix(".unpacked")
    if not target.exists():
        _do(["dpkg", "-x", archive, target])
    return target


def members(archive, ending):
    """Name and text of each file of an archive that is UTF-8."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(ending):
                try:
                    yield member.name, tar.extractfile(member).read().decode()
                except UnicodeDecodeError:
                    continue
