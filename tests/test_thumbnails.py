"""Thumbnails: small spectrograms of the clips that a run has published, each in the place where the explorer looks."""

from __future__ import annotations

import explorer_run
import explorer_views
import numpy as np
import pytest
from PIL import Image

from ser_study import config as settings
from ser_study import corpora
from ser_study.corpora import published
from ser_study.features import inspection
from ser_study.report import pages, thumbnails
from ser_study.store import PREDICTIONS, Store


def test_a_tile_is_dark_where_a_clip_is_loud():
    mel_db = np.full((96, 64), -90.0)
    mel_db[48:, :32] = 0.0  # the low bands of the second half
    tile = thumbnails.tile(mel_db)
    assert tile.shape == (thumbnails.HEIGHT, thumbnails.WIDTH)
    assert (tile[16:, 24:] == 0).all()
    assert (tile[:16] == 255).all()
    assert (tile[:, :24] == 255).all()
    assert (thumbnails.tile(np.zeros((1, 64))) == 255).all(), "a silent clip, of one frame, is white"


def test_tiles_stand_in_rows():
    tiles = [np.full((thumbnails.HEIGHT, thumbnails.WIDTH), place, np.uint8) for place in range(70)]
    sheet = thumbnails.sheet(tiles)
    assert sheet.shape == (2 * thumbnails.HEIGHT, 64 * thumbnails.WIDTH)
    at = [divmod(place, thumbnails.COLUMNS) for place in range(70)]
    seen = [int(sheet[row * thumbnails.HEIGHT, column * thumbnails.WIDTH]) for row, column in at]
    assert seen == list(range(70))
    assert (sheet[thumbnails.HEIGHT :, 6 * thumbnails.WIDTH :] == 255).all()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[settings.Config, Store]:
    """A run that has published the clips of a small built-in corpus, and nothing to read but that."""
    folder = tmp_path_factory.mktemp("thumbnails")
    changes = {"synthetic.n_speakers": 4, "synthetic.n_statements": 1, "synthetic.n_repetitions": 1, "run.jobs": 1}
    config = settings.load("demo", changes)
    store = Store(folder / "raw", folder / "derived", folder / "run", folder)
    table = corpora.load("synthetic", config=config, store=store)
    store.run.mkdir()
    published.write([table], store.run, private=[], features=[], packed=[])
    (store.run / PREDICTIONS).touch()
    return config, store


def test_pictures_hold_the_clips_in_their_order(study):
    config, store = study
    stale = store.run / "assets" / "spectrograms-synthetic-0.webp"
    stale.parent.mkdir()
    stale.touch()
    thumbnails.write(config, store, names=["synthetic"])
    assert not stale.exists(), "it showed other clips"
    (file,) = thumbnails.there(store.run, store.run / "assets").values()
    picture = np.asarray(Image.open(store.run / "assets" / file).convert("L"), float)
    for place, clip in enumerate(corpora.load("synthetic", config=config, store=store).to_dict("records")):
        row, column = divmod(place, thumbnails.COLUMNS)
        rows = slice(row * thumbnails.HEIGHT, (row + 1) * thumbnails.HEIGHT)
        seen = picture[rows, column * thumbnails.WIDTH : (column + 1) * thumbnails.WIDTH]
        tile = thumbnails.tile(inspection.analysis_of(clip, config=config, store=store).mel_db)
        assert np.corrcoef(seen.ravel(), tile.ravel().astype(float))[0, 1] > 0.9, clip["clip_id"]
    before = (store.run / "assets" / file).stat().st_mtime_ns
    thumbnails.write(config, store, names=["synthetic"])
    assert (store.run / "assets" / file).stat().st_mtime_ns == before


def test_a_clip_that_cannot_be_read_is_named_and_no_picture_is_made(study, monkeypatch, capsys):
    config, store = study
    (file,) = thumbnails.there(store.run, store.run / "assets").values()
    for folder in (store.run / "assets", store.derived / "thumbnails"):
        (folder / file).unlink()
    clip = corpora.load("synthetic", config=config, store=store)["clip_id"].iloc[3]
    whole = inspection.analysis_of

    def analysis_of(row, **options):
        if row["clip_id"] == clip:
            raise OSError("gone")
        return whole(row, **options)

    with monkeypatch.context() as patch:
        patch.setattr(inspection, "analysis_of", analysis_of)
        thumbnails.write(config, store, names=["synthetic"])
    assert thumbnails.there(store.run, store.run / "assets") == {}
    assert f"could not be read ({clip}: " in capsys.readouterr().err
    thumbnails.write(config, store, names=["synthetic"])
    assert list(thumbnails.there(store.run, store.run / "assets")) == ["synthetic"]


def test_corpora_that_name_no_clip_have_no_picture(tmp_path):
    run = explorer_run.published_run(tmp_path)
    (run / "assets").mkdir()
    for corpus in published.corpora(run):
        (run / "assets" / thumbnails.file_of(run, corpus)).touch()
    assert list(thumbnails.there(run, run / "assets")) == ["crema_d", "emodb", "tess"]
    published.write([published.clips(run, "emodb")[1:]], run, private=[], features=[], packed=[])
    assert thumbnails.there(run, run / "assets") == {}, "the pictures are of other clips"


@pytest.mark.browser
def test_each_wrong_answer_has_the_tile_of_its_clip(browser, tmp_path):
    run = explorer_run.published_run(tmp_path)
    clips = published.clips(run, "emodb")["clip_id"].tolist()
    tiles = [np.full((thumbnails.HEIGHT, thumbnails.WIDTH), place, np.uint8) for place in range(len(clips))]
    (run / "assets").mkdir()
    Image.fromarray(thumbnails.sheet(tiles)).save(
        run / "assets" / thumbnails.file_of(run, "emodb"), format="webp", lossless=True
    )
    store = Store(tmp_path / "raw", tmp_path / "derived", tmp_path / "made", tmp_path)
    assert pages.render_explorer(store, run) == "explorer.html"
    explorer_views.opened(browser, store.run / "explorer.html", "#corpus=emodb")
    seen = browser.execute_async_script(
        """const done = arguments[0];
        const all = [...document.querySelectorAll(".thumbnail")];
        const picture = new Image();
        picture.onload = () => {
          done(all.map((one) => {
            const style = getComputedStyle(one);
            return [one.ariaLabel, style.backgroundPosition, one.clientWidth, one.clientHeight, picture.naturalWidth];
          }));
        };
        picture.src = /url\\("(.*)"\\)/.exec(getComputedStyle(all[0]).backgroundImage)[1];"""
    )
    assert len(seen) > 5
    for label, position, width, height, whole in seen:
        place = clips.index(f"emodb/{label.removeprefix('Spectrogram of ')}")
        row, column = divmod(place, thumbnails.COLUMNS)
        assert position == f"-{column * width}px -{row * height}px".replace("-0px", "0px")
        assert (width, height, whole) == (thumbnails.WIDTH, thumbnails.HEIGHT, thumbnails.COLUMNS * thumbnails.WIDTH)
    explorer_views.opened(browser, store.run / "explorer.html", "#corpus=tess")
    assert browser.execute_script("return document.querySelectorAll('.thumbnail').length") == 0
