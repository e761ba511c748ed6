# One image for every process of ours: which one a container is, its command says.

FROM python:3.13.16-slim-trixie AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/micromart
# Wheels only: there is no compiler here, and no package runs code of its own while it is installed.
COPY requirements.lock deploy/build.lock ./
RUN pip install --require-hashes --only-binary :all: -r build.lock
RUN pip --python /opt/micromart/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY runtime runtime
COPY services services
COPY activities activities
COPY workflows workflows
COPY api api
COPY workers workers
COPY proof proof
COPY cli cli
COPY sandbox sandbox
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels .
RUN pip --python /opt/micromart/bin/python install --no-deps --no-index wheels/*.whl

FROM python:3.13.16-slim-trixie
LABEL org.opencontainers.image.title="MicroMart" \
      org.opencontainers.image.description="A commerce backend whose checkout cannot be lost, doubled or oversold" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
# A new volume takes over the owner of the folder that it covers: the sandbox provider writes its ledger there.
RUN groupadd --system --gid 10001 micromart \
    && useradd --system --uid 10001 --gid micromart --no-create-home --shell /usr/sbin/nologin micromart \
    && install --directory --owner micromart --group micromart /var/lib/psp
COPY --from=build /opt/micromart /opt/micromart
ENV PATH=/opt/micromart/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/micromart
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["micromart", "--help"]
