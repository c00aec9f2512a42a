"""Exported encoders and decoders compute what the model does, for batches of any size."""

import re

import numpy as np
import pytest
import torch

from attnae.cli import main
from attnae.errors import UserError
from attnae.model.attention import ATTENTIONS
from attnae.model.vae import VAE
from attnae.trained import export as exporting
from attnae.trained.export import export

TOLERANCE = {"rtol": 0, "atol": 1e-4}


def expected_of(vae, images, z):
    with torch.no_grad():
        return [*(half for half in vae.encode(images) if half is not None), vae.decode(z)]


@pytest.mark.parametrize("options", [{}, {"variational": False, "in_channels": 3, "act": "mish", "latent_dim": 3}])
def test_onnx(options, run_dir, vae, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    if options:
        vae = VAE((6, 4, 2), 1, image_size=9, spatial_attention=True, **options).eval()
        (encoder, decoder), difference = export(vae, tmp_path / "x.onnx")
    else:
        assert main(["export", str(run_dir), "-o", str(tmp_path / "x.onnx")]) == 0
        encoder, decoder = tmp_path / "x_encoder.onnx", tmp_path / "x_decoder.onnx"
        said = re.fullmatch(
            rf"wrote {encoder} and {decoder}: they differ from the model by at most (.*)\n", capsys.readouterr().out
        )
        difference = float(said[1])
    assert 0 <= difference < 1e-4
    encode, decode = (onnxruntime.InferenceSession(str(path)) for path in (encoder, decoder))
    for batch in (1, 7):
        images = torch.rand(batch, options.get("in_channels", 1), *(9, 9) if options else (8, 8))
        z = torch.randn(batch, options.get("latent_dim", 2))
        found = [*encode.run(None, {"images": images.numpy()}), *decode.run(None, {"z": z.numpy()})]
        for output, expected in zip(found, expected_of(vae, images, z), strict=True):
            np.testing.assert_allclose(output, expected, **TOLERANCE)
    names = [output.name for output in encode.get_outputs()]
    assert names == (["mu"] if options else ["mu", "log_var"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_onnx_of_every_attention(attention, tmp_path):
    """Without a warning; `export` compares the outputs for batches of two sizes with those of the model."""
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    vae = VAE((6, 4, 2), 1, image_size=8, attention=attention).eval()
    files, difference = export(vae, tmp_path / "x.onnx")
    assert difference < 1e-5
    assert all(file.stat().st_size > 1000 for file in files)


def test_pt2(vae, tmp_path):
    (encoder, decoder), difference = export(vae, tmp_path / "x.pt2")
    assert [path.name for path in (encoder, decoder)] == ["x_encoder.pt2", "x_decoder.pt2"]
    assert difference < 1e-4
    encode, decode = (torch.export.load(path).module() for path in (encoder, decoder))
    for batch in (1, 7):
        images, z = torch.rand(batch, 1, 8, 8), torch.randn(batch, 2)
        for output, expected in zip([*encode(images), *decode(z)], expected_of(vae, images, z), strict=True):
            torch.testing.assert_close(output, expected, **TOLERANCE)


def test_a_file_that_computes_something_else_is_not_written(vae, tmp_path, monkeypatch):
    sound = exporting.FORMATS[".pt2"]
    wrong = sound._replace(run=lambda content, inputs: [output + 0.01 for output in sound.run(content, inputs)])
    monkeypatch.setitem(exporting.FORMATS, ".pt2", wrong)
    with pytest.raises(UserError, match=r"x_encoder.pt2 would differ from the model"):
        export(vae, tmp_path / "x.pt2")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_or_onnxruntime(vae, tmp_path, monkeypatch):
    found = exporting.find_spec
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnx" else found(name))
    with pytest.raises(UserError, match=r"pip install 'attnae\[onnx\]'"):
        export(vae, tmp_path / "x.onnx")
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    files, difference = export(vae, tmp_path / "x.onnx")
    assert difference is None
    assert all(file.stat().st_size > 1000 for file in files)
