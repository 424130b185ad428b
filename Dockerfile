# The CUDA container: everything that `kedro run --tags gpu` needs. The torch wheels of the lock bring their own
# CUDA libraries, so the host has to provide a driver and the NVIDIA container toolkit, nothing more.
#   docker build -t octa-kedro .
#   docker run --rm --gpus all --shm-size=8g -v "$PWD/data:/project/data" octa-kedro run --tags gpu
FROM python:3.12-slim-bookworm

ENV DO_NOT_TRACK=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    MPLBACKEND=agg

WORKDIR /project

# opencv, which pytorch-grad-cam imports, needs these two at run time.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# Dependencies first: they change seldom, and their layer is several gigabytes.
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY src/octa_kedro/__init__.py src/octa_kedro/__init__.py
RUN pip install --constraint requirements.lock uv \
    && uv pip install --system --no-cache --compile-bytecode --constraint requirements.lock --editable .

COPY .telemetry ./
COPY conf conf
COPY src src

ENTRYPOINT ["kedro"]
CMD ["run"]
