"""An OCI image layout of a folder: oci.py --name NAME --version V --root ROOT --out LAYOUT [--user UID] [--env K=V]… [--volume DIR]… -- ENTRYPOINT…

One layer, gzip; all times are SOURCE_DATE_EPOCH's and all files root's but those below a --volume, which are the user's: the same
root gives the same digests. The format: https://github.com/opencontainers/image-spec, version 1.0.
"""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def layer_of(root, owned, uid):
    """The tar of a root, and its bytes compressed."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            info = tar.gettarinfo(str(path), str(path.relative_to(root)))
            info.mtime = EPOCH
            info.uid = info.gid = uid if "/" + info.name in owned else 0
            info.uname = info.gname = ""
            if info.isreg():
                with open(path, "rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return raw.getvalue(), gzip.compress(raw.getvalue(), 6, mtime=0)


class Layout:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "blobs" / "sha256").mkdir(parents=True)
        (self.folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))

    def blob(self, content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    def json_blob(self, value, media_type):
        return self.blob(json.dumps(value, sort_keys=True, indent=1).encode(), media_type)


def write(options):
    raw, packed = layer_of(pathlib.Path(options.root), options.volume, options.user)
    layout = Layout(options.out)
    layer = layout.blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")
    created = datetime.datetime.fromtimestamp(EPOCH, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {"org.opencontainers.image.title": options.name, "org.opencontainers.image.version": options.version}
    config = layout.json_blob({
        "architecture": "amd64", "os": "linux", "created": created,
        "config": {"User": f"{options.user}:{options.user}", "Entrypoint": options.entrypoint, "Env": options.env, "WorkingDir": "/",
                   "Volumes": {volume: {} for volume in options.volume}, "Labels": labels,
                   "ExposedPorts": {f"{port}/tcp": {} for port in options.port}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(raw).hexdigest()]},
        "history": [{"created": created, "created_by": "packaging/build oci"}],
    }, "application/vnd.oci.image.config.v1+json")
    manifest = layout.json_blob({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer],
        "annotations": labels,
    }, "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": options.version}
    manifest["platform"] = {"architecture": "amd64", "os": "linux"}
    (layout.folder / "index.json").write_text(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}, indent=1))
    # What `docker load` read before its version 25; it stands beside the layout's own files and disturbs none.
    blob = lambda of: "blobs/sha256/" + of["digest"].removeprefix("sha256:")
    (layout.folder / "manifest.json").write_text(json.dumps([
        {"Config": blob(config), "RepoTags": [f"{options.name}:{options.version}"], "Layers": [blob(layer)]}]))


def main():
    parser = argparse.ArgumentParser()
    for name in ("name", "version", "root", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--user", type=int, default=65532)
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--volume", action="append", default=[])
    parser.add_argument("--port", action="append", default=[])
    parser.add_argument("entrypoint", nargs="+")
    write(parser.parse_args())


main()
