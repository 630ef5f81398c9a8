# ICH Serve: one image for CPU and for NVIDIA GPUs (the torch wheel of the lock brings its CUDA
# libraries; the host brings the driver). Runs as a non-root user on a read-only root file system
# with a writable /tmp. `docker build -t ich-serve .`

FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir uv==0.13.8
ENV UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON=/usr/local/bin/python3.11 \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
# Dependencies in a layer of their own: it is large, and changes only with the lock.
COPY pyproject.toml uv.lock ./
RUN /opt/tools/bin/uv sync --frozen --no-default-groups --no-cache
# The native engine, for every instruction set it knows: the processor is asked at start.
RUN apt-get update && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
# The model is imported while the image is built, hash first, so that a start needs no network.
ENV PATH=/opt/venv/bin:$PATH BENTOML_HOME=/opt/bentoml BENTOML_DO_NOT_TRACK=true
COPY service service
COPY model_build model_build
RUN python -m service.engine.native.build
# BentoML makes the folder of a model private; the service runs as another user.
RUN python -m model_build save --pretrained \
    && chmod -R a+rX /opt/bentoml

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ich
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/bentoml /opt/bentoml
COPY --from=build /app/service /app/service
WORKDIR /app
# BENTOML_HOME is not writable here on purpose: BentoML then keeps its metrics folder in /tmp, and
# containers that share nothing cannot blank each other's metrics.
ENV PATH=/opt/venv/bin:$PATH \
    BENTOML_HOME=/opt/bentoml \
    BENTOML_DO_NOT_TRACK=true \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ICH_HTTP_HOST=0.0.0.0 \
    ICH_GRPC_HOST=0.0.0.0
USER 10001:10001
EXPOSE 3000 50051
# With its own timeout: a probe of a process that is just being replaced hangs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('ICH_HTTP_PORT', '3000') + '/readyz', timeout=3)"]
# Exec form: SIGTERM reaches BentoML itself, which drains and exits with 0.
ENTRYPOINT ["bentoml", "serve", "service.service:IchService"]
