"""Joins a running cluster by Ray: its nodes, and whether they can measure for us."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmx_bench.errors import CmxError, cut, first_line
from cmx_bench.execute import on_node
from cmx_bench.execute.on_node import Agent, Facts
from cmx_bench.worker.local import Call

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 20.0  # Ray itself waits for two minutes where something else listens
_PROBE = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='FATAL')"
_AGENT_SECONDS = 120.0  # for a node to begin a process, under load


class ClusterError(CmxError):
    """A cluster that is not there, or that cannot measure what is asked for."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node, with its whole cores and GPUs as Ray counts them, our agent on it, which holds
    neither, and what tells its devices of each kind from those of other hardware."""

    id: str
    name: str
    cores: int
    gpus: int
    agent: Any
    facts: Facts
    devices: Mapping[str, str]


@contextmanager
def joining(address: str) -> Iterator[None]:
    """This process takes part in the cluster at `address`: "auto", HOST:PORT, or ray://HOST:PORT.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers there.
    """
    ray = _ray()
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    _refuse_silent(address)
    heeded = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(address, namespace="cmx-bench", log_to_driver=False, logging_level=logging.FATAL)
    except (OSError, RuntimeError, ValueError, TypeError, ray.exceptions.RayError) as error:
        raise _unreachable(address, str(error)) from None
    finally:
        for number, handler in heeded.items():  # Ray has its own
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise ClusterError("--executor ray: Ray is not installed; run: "
                           "pip install 'cmx-bench[ray]'") from None  # fmt: skip
    return ray


def _refuse_silent(address: str) -> None:
    """Refuses an address where no cluster answers, sooner than Ray does."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto" and not (separator and port.isdecimal()):
        raise ClusterError(f"--address {address}: expected auto, HOST:PORT or ray://HOST:PORT")
    if separator:
        try:
            socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, first_line(error)) from None
    if address.startswith("ray://"):  # that gives up by itself
        return
    command = [sys.executable, "-c", _PROBE, address]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _unreachable(address, "what listens there is no Ray cluster") from None
    if asked.returncode:
        raise _unreachable(address, asked.stderr.rpartition("Error: ")[2])


def _unreachable(address: str, why: str) -> ClusterError:
    # Versions that differ take Ray several lines.
    said = cut(" ".join(why.partition(". Please")[0].split()), 300)
    return ClusterError(f"--address {address}: no Ray cluster answers ({said}); start one with "
                        f"`ray start --head`, or give the address of another")  # fmt: skip


@dataclass(slots=True)
class Nodes:
    """The nodes of the cluster that this process has joined, as they come and go; `tell` hears of
    those that are left out."""

    here: Path
    tell: Callable[[str], None]
    agent: type[Agent] = Agent
    known: dict[str, Node | None] = field(default_factory=dict)
    ours: Facts = field(default_factory=on_node.facts)

    def living(self) -> list[Node]:
        """Those that are there now and have a core. One that gives no answer is left out, as is one
        that has come since the first question and has other software.

        Raises:
            ClusterError: one of the first has other software, or there is none.
        """
        ray = _ray()
        every: list[dict[str, Any]] = ray.nodes()
        there = {it["NodeID"]: it for it in every if it["Alive"] and _whole(it, "CPU")}
        new = {key: it for key, it in there.items() if key not in self.known}
        self.known |= self._ask(new, is_first=not self.known)
        living = [node for key, node in self.known.items() if node is not None and key in there]
        if not living:
            raise ClusterError("the cluster has no node with a core; give one by `ray start`")
        return living

    def _ask(
        self, there: Mapping[str, Mapping[str, Any]], is_first: bool
    ) -> dict[str, Node | None]:
        """New nodes, as Ray describes them by their ids; None for one that is left out."""
        names = Counter(it["NodeName"] for it in there.values())
        agents = {key: begin_agent(self.agent, key, self.here) for key in there}
        facts = {key: agent.facts.remote() for key, agent in agents.items()}
        asked: dict[str, Node | None] = {}
        for key, it in there.items():
            name = f"{it['NodeName']}{f' ({key[:6]})' * (names[it['NodeName']] > 1)}"
            try:
                told = self._facts(name, facts[key])
            except AgentLostError as error:
                self.tell(f"node {name} is left out: it gives no answer ({error})")
            except ClusterError as error:
                if is_first:
                    raise
                self.tell(f"{error}; it is left out")
            else:
                asked[key] = _node(it, name, agents[key], told)
        return dict.fromkeys(there) | asked

    def _facts(self, name: str, asked: Any) -> Facts:
        """What a node says of itself, where it has the right software."""
        try:
            told: Facts = answer(asked, _AGENT_SECONDS)
        except AgentLostError as error:
            if "ModuleNotFoundError" not in str(error):
                raise
            ours = f"cmx-bench[ray]=={self.ours.versions['cmx-bench']}"
            raise ClusterError(f"node {name}: cannot measure ({error}); run there: "
                               f"pip install '{ours}'") from None  # fmt: skip
        _refuse_other(name, told, self.ours)
        return told


def _node(described: Mapping[str, Any], name: str, agent: Any, facts: Facts) -> Node:
    cores, gpus = _whole(described, "CPU"), _whole(described, "GPU")
    # A container may hide from us what Ray knows.
    known = sorted(each for each in described["Resources"] if each.startswith("accelerator_type"))
    devices = {
        kind: f"{device} {known * (kind == 'cuda')}" for kind, device in facts.devices.items()
    }
    return Node(described["NodeID"], name, cores, gpus, agent, facts, devices)


def _whole(node: Mapping[str, Any], resource: str) -> int:
    return int(node["Resources"].get(resource, 0))


class AgentLostError(CmxError):
    """An agent that died, or never began, with what it did; the text says how."""


def begin_agent(
    agent: type[Agent], node_id: str, here: Path, variables: Mapping[str, str] | None = None,
    cores: float = 0, gpus: int = 0,
) -> Any:  # fmt: skip
    """An agent on a node. It holds this many of the node's cores and GPUs as soon as they are
    free."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    on_it = NodeAffinitySchedulingStrategy(node_id, soft=False)
    options = {"num_cpus": cores, "num_gpus": gpus, "scheduling_strategy": on_it}
    return _ray().remote(agent).options(**options).remote(here, variables)


def answer(asked: Any, timeout: float | None = None) -> Any:
    """What an agent answers.

    Raises:
        AgentLostError: it died, or did not answer in so many seconds.
    """
    ray = _ray()
    try:
        return ray.get(asked, timeout=timeout)
    except ray.exceptions.RayError as error:
        raise AgentLostError(_last_line(str(error))) from None


def caller(agent: Any, name: str) -> Call:
    """Calls functions in fresh processes of an agent on the node `name`. It raises their errors,
    and a `ClusterError` if the agent died."""

    def call(target: str, *arguments: object, timeout: float | None = None) -> Any:
        try:
            said = answer(agent.call.remote(target, arguments, timeout))
        except AgentLostError as error:
            raise ClusterError(f"node {name}: was lost ({error}); try again") from None
        if isinstance(said, CmxError):
            raise type(said)(f"{said} (on node {name})")
        return said

    return call


def end(agents: Iterable[Any]) -> None:
    """Ends agents, with all processes that they began."""
    ray = _ray()
    for agent in agents:
        with suppress(ray.exceptions.RayError):
            ray.kill(agent)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def _refuse_other(name: str, theirs: Facts, ours: Facts) -> None:
    """Refuses a node whose packages are not those of this command. Builds of torch may differ: a
    laptop's knows no GPU."""
    for package, version in ours.versions.items():
        there = theirs.versions.get(package)
        if there is None or there.partition("+")[0] != version.partition("+")[0]:
            has = f"has {package} {there}" if there else f"lacks {package}"
            raise ClusterError(f"node {name}: {has}, and this command has {version}; run there: "
                               f"pip install '{package}=={version.partition('+')[0]}'")  # fmt: skip
    if theirs.code != ours.code:
        raise ClusterError(f"node {name}: its files of cmx-bench {ours.versions['cmx-bench']} are "
                           f"not those of this command; install the same there")  # fmt: skip
