"""The peers' scores are in the order of the sets."""

import pytest

from training.peers import SETS, Peer, read_peers


def test_every_peer_has_scores_and_its_own_name():
    peers = read_peers()
    assert len({(peer.name, peer.source) for peer in peers}) == len(peers) > 0
    for peer in peers:
        assert peer.gmac > 0
        assert any(peer.cells(scale) for scale in (2, 3, 4))
        assert all(len(peer.cells(scale)) <= len(SETS) for scale in (2, 3, 4))


def test_cells_show_ssim_where_it_is_known():
    peer = Peer(name="a", source="b", gmac=1.0, x2=(37.0, 32.634), x3=(33.16,), ssim_x3=(0.9053,))
    assert peer.cells(2) == ["37.00", "32.63"]
    assert peer.cells(3) == ["33.16 / 0.9053"]
    assert peer.cells(4) == []
    with pytest.raises(ValueError, match="shorter"):
        Peer(name="a", source="b", gmac=1.0, x2=(37.0, 32.6), ssim_x2=(0.9,)).cells(2)
