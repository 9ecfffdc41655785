"""Every network by name."""

from __future__ import annotations

from collections.abc import Mapping

from ser_study.config import unknown
from ser_study.models.deep import image_networks, sequence_networks, vector_networks
from ser_study.models.deep.network import Network

NETWORKS: Mapping[str, Network] = {
    network.name: network
    for network in (*vector_networks.NETWORKS, *sequence_networks.NETWORKS, *image_networks.NETWORKS)
}


def get(name: str) -> Network:
    """A network; ``ValueError`` with the known names otherwise."""
    if name not in NETWORKS:
        raise ValueError(unknown("network", name, NETWORKS))
    return NETWORKS[name]
