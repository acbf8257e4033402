FROM python:3.12-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
COPY requirements.lock /requirements.lock
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /requirements.lock /wheels/*.whl \
    && useradd --system --create-home --uid 10001 crosscurrent \
    && install --directory --owner crosscurrent /data
USER crosscurrent
VOLUME /data
EXPOSE 1883 8080
ENTRYPOINT ["crosscurrent"]
CMD ["--help"]
