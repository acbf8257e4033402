# Two stages: what builds stays behind. All packages come as wheels, in the versions that the tests ran with.
FROM python:3.12.11-slim-bookworm AS build
RUN python -m venv /opt/crosscurrent
ENV PATH=/opt/crosscurrent/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY . /source
RUN pip wheel --quiet --no-deps --wheel-dir /wheels /source \
    && pip install --quiet --only-binary :all: --constraint /source/requirements.lock \
       "$(echo /wheels/crosscurrent-*.whl)[kafka,influx,grafana,apprise]"

FROM python:3.12.11-slim-bookworm
# Volumes take over the owner of the folder that they are mounted on.
RUN useradd --system --no-create-home --uid 10001 crosscurrent \
    && install --directory --owner crosscurrent /data /tokens /boards
COPY --from=build /opt/crosscurrent /opt/crosscurrent
ENV PATH=/opt/crosscurrent/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["crosscurrent"]
CMD ["--help"]
