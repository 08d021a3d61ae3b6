#!/usr/bin/env python3
"""A GPU stand-in for machines without one: llama.cpp's RPC back end on loopback, which is a device like a GPU.

    scripts/rpc_device.py build FOLDER     the libraries of the installed llama-cpp-python, and the RPC back end
    scripts/rpc_device.py serve PORT       offer this machine's CPU as a device on 127.0.0.1, until killed

`build` takes the sources that the installed version was built from (pip fetches them) and compiles the one back end, in
seconds, as -DGGML_RPC=on would: a whole build takes minutes. The libraries in FOLDER are used with LLAMA_CPP_LIB_PATH.
A process sees the device after `register`. Linux only; needs a C++ compiler. Imports nothing of r1chat.
"""

import argparse
import ctypes
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

NAME = "libggml-rpc.so.0"  # the name that libggml uses, where it was built with the back end
SOURCES = ("ggml-rpc/ggml-rpc.cpp", "ggml-rpc/transport.cpp")  # ggml/src/ggml-rpc/CMakeLists.txt, without RDMA
FLAGS = ("-O2", "-std=c++17", "-fPIC", "-shared", "-DGGML_SHARED", "-DGGML_BACKEND_SHARED", "-DGGML_BACKEND_BUILD")


def libraries() -> Path:
    """Give the folder of the native libraries, as llama_cpp chooses it."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(os.environ.get("LLAMA_CPP_LIB_PATH") or Path(spec.submodule_search_locations[0], "lib"))


def has_back_end(folder: Path) -> bool:
    """Tell whether the libraries in a folder include the RPC back end."""
    return (folder / NAME).is_file()


def build(folder: Path) -> None:
    """Fill a folder. Raises CalledProcessError where pip or the compiler fails."""
    version = importlib.metadata.version("llama-cpp-python")
    shutil.copytree(libraries(), folder, dirs_exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", room]
        subprocess.run([*pip, f"llama-cpp-python=={version}"], check=True)
        (archive,) = Path(room).glob("*.tar.gz")
        with tarfile.open(archive) as file:
            members = [member for member in file.getmembers() if "/vendor/llama.cpp/ggml/" in member.name]
            file.extractall(room, members, filter="data")
        (ggml,) = Path(room).glob("*/vendor/llama.cpp/ggml")
        argv = [os.environ.get("CXX", "c++"), *FLAGS, f"-I{ggml}/include", f"-I{ggml}/src"]
        argv += [str(ggml / "src" / source) for source in SOURCES]
        argv += [f"-L{folder}", "-l:libggml-base.so.0", "-Wl,-rpath,$ORIGIN", "-o", str(folder / NAME)]
        subprocess.run(argv, check=True)


def register(endpoint: str) -> None:
    """Add the device at an endpoint to this process's registry. Call it before any model is loaded."""
    ggml, rpc = _library("libggml.so.0"), _library(NAME)
    rpc.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
    rpc.ggml_backend_rpc_add_server.argtypes = [ctypes.c_char_p]
    ggml.ggml_backend_register.argtypes = [ctypes.c_void_p]
    server = rpc.ggml_backend_rpc_add_server(endpoint.encode())
    if not server:
        raise SystemExit(f"There is no RPC server at {endpoint}.")
    ggml.ggml_backend_register(server)


def serve(port: int) -> None:
    """Offer the CPU. Returns when the port can't be had."""
    ggml, rpc = _library("libggml.so.0"), _library(NAME)
    ggml.ggml_backend_dev_by_type.restype = ctypes.c_void_p
    devices = (ctypes.c_void_p * 1)(ggml.ggml_backend_dev_by_type(0))  # ggml-backend.h: the CPU
    rpc.ggml_backend_rpc_start_server.argtypes = [
        *(ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)
    ]
    rpc.ggml_backend_rpc_start_server(f"127.0.0.1:{port}".encode(), None, os.cpu_count() or 1, 1, devices)


def _library(name: str) -> ctypes.CDLL:
    """Load a library under the name that libllama uses: another copy of it would have a registry of its own."""
    return ctypes.CDLL(str(libraries() / name), mode=ctypes.RTLD_GLOBAL)


def main() -> None:
    """Build or serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("build").add_argument("folder", type=Path)
    commands.add_parser("serve").add_argument("port", type=int)
    options = parser.parse_args()
    if options.what == "build":
        build(options.folder)
    else:
        serve(options.port)


if __name__ == "__main__":
    main()
