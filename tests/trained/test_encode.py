"""Codes as arrays and as files, against the model's own."""

import numpy as np
import pandas as pd
import torch

from attnae.cli import main
from attnae.data.sources import load_digits
from attnae.model.vae import VAE
from attnae.trained.encode import as_table, encode
from attnae.trained.images import NamedImages, read_images


def test_csv_and_npz_hold_the_model_s_codes(run_dir, vae, tmp_path, capsys):
    test = load_digits(None, None, None).test
    with torch.no_grad():
        mu, log_var = vae.encode(torch.from_numpy(test.images) / 255)
    assert main(["encode", str(run_dir), "digits", "-o", str(tmp_path / "codes.npz")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'codes.npz'}: codes of 2 dimensions for 299 images\n"
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as arrays:
        assert list(arrays) == ["index", "label", "mu", "log_var"]
        np.testing.assert_allclose(arrays["mu"], mu, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(arrays["log_var"], log_var, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(arrays["label"], test.labels)
        np.testing.assert_array_equal(arrays["index"], np.arange(299))
        saved = dict(arrays)

    assert main(["encode", str(run_dir), "digits"]) == 0
    table = pd.read_csv(run_dir / "latents.csv")
    (run_dir / "latents.csv").unlink()
    assert list(table) == ["index", "label", "mu_0", "mu_1", "log_var_0", "log_var_1"]
    for name in ("mu", "log_var"):  # to the last bit of a float32
        columns = table[[f"{name}_0", f"{name}_1"]].to_numpy().astype(np.float32)
        np.testing.assert_array_equal(columns, saved[name])
    np.testing.assert_array_equal(table["label"], test.labels)


def test_a_folder_s_rows_carry_names_and_sub_folders(run_dir, config, vae, photos, tmp_path):
    out = tmp_path / "codes.csv"
    assert main(["encode", str(run_dir), str(photos), "-o", str(out)]) == 0
    table = pd.read_csv(out, keep_default_na=False).set_index("name")
    assert table.loc["cats/01.png", "label"] == "cats"
    assert table.loc["03.png", "label"] == ""
    one = read_images(str(photos / "cats" / "01.png"), config)
    with torch.no_grad():
        mu, _ = vae.encode(torch.from_numpy(one.images) / 255)
    np.testing.assert_allclose(table.loc["cats/01.png", ["mu_0", "mu_1"]].to_numpy(float), mu[0], rtol=1e-4, atol=1e-5)


def test_names_that_a_spreadsheet_would_run_are_text():
    codes = {"name": np.array(["=1+1.png", "a.png"]), "mu": np.zeros((2, 1), np.float32)}
    from attnae.text import csv_text

    assert csv_text(as_table(codes)) == "name,mu_0\n'=1+1.png,0.0\na.png,0.0\n"


def test_a_plain_autoencoder_has_no_log_var_and_stays_in_its_mode():
    vae = VAE((6, 4, 2), 1, 3, variational=False, image_size=8).train()
    images = np.arange(2 * 64, dtype=np.uint8).reshape(2, 1, 8, 8)
    codes = encode(vae, NamedImages(images, None, None))
    assert vae.training
    assert list(as_table(codes)) == ["index", "mu_0", "mu_1", "mu_2"]
    with torch.no_grad():
        np.testing.assert_allclose(codes["mu"], vae.eval().encode(torch.from_numpy(images) / 255)[0], atol=1e-6)
