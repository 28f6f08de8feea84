"""The flags that share work out over machines."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from ...errors import UserError
from ...jobs.cluster.parts import Part, read_part


@Parameter(name="*", group="Many machines")
@dataclass(frozen=True)
class Machines:
    """The part that this machine does, or the scheduler that gives work out."""

    shard: Annotated[
        str | None, Parameter(help="Do part I of N (I/N), for several machines that share the folders.")
    ] = None
    executor: Annotated[
        str | None, Parameter(help="Have the workers of a Dask scheduler do the work: dask://HOST:PORT.")
    ] = None

    @property
    def are_asked_for(self) -> bool:
        """Whether there is more than this machine."""
        return self.shard is not None or self.executor is not None

    def part(self) -> Part:
        """Return the part to do here; raises `UserError` where it is none, or both flags were given."""
        if self.shard is not None and self.executor is not None:
            raise UserError("--shard and --executor are two ways to share out the work. Give only one of them.")
        return Part() if self.shard is None else read_part(self.shard)
