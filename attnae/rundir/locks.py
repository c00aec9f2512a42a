"""Locks that do not hold: file systems without any, and mounts whose locks hold on one machine only."""

from __future__ import annotations

import errno
from pathlib import Path

from attnae.errors import UserError

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
# Mount options by which a shared file system keeps its locks to each machine: NFS, Lustre, SMB.
OF_ONE_MACHINE = {"nolock", "local_lock=all", "local_lock=flock", "localflock", "nobrl"}
MOUNTS = Path("/proc/self/mounts")


def lock_error(directory: Path, error: OSError | NotImplementedError) -> UserError:
    """The user's error for a lock in `directory` that could not be acquired, although nobody holds it.

    filelock raises `NotImplementedError` where the file system has no locks, or uses a lock file instead.
    """
    if isinstance(error, NotImplementedError) or error.errno in NO_LOCKS:
        return UserError(
            f"{directory} is on a file system without locks, where two processes could train the same run: mount it "
            "with locks (docs/study.md names the options), or choose another --log-dir"
        )
    return UserError(f"{directory} cannot be written to: {error.strerror}")


def local_locks(directory: Path) -> str | None:
    """A warning if the locks in `directory` hold on one machine only; None if not, or if it is not known.

    Linux lists the mount options, of which the last mount at a path applies.
    """
    try:
        mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return None
    path = directory.absolute()
    above = [(Path(fields[1].replace("\\040", " ")), fields[3].split(",")) for fields in mounts if len(fields) > 3]
    above = [mount for mount in above if mount[0] in (path, *path.parents)]
    if not above:
        return None
    place, options = max(reversed(above), key=lambda mount: len(mount[0].parts))
    if (found := OF_ONE_MACHINE & {*options}) == set():
        return None
    return (
        f"{place} is mounted with {', '.join(sorted(found))}: its locks hold on one machine only, so workers on two "
        "machines could train the same run (docs/study.md names the mount options to use)"
    )
