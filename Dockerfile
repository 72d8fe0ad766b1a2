# predicdiff in containers. Targets:
#   cuda   CUDA pycaffe, compiled here from Debian 11's own source package (the default: the last stage)
#   cpu    Debian 11's pycaffe with OpenBLAS
#   torch  current Python with the CUDA wheels of torch: the fast engine
#   test   the test suite, on top of cpu
#
# Build arguments: BASE and PYTHON_BASE name the images underneath, MIRROR another Debian mirror (the archive, once
# Debian 11 has moved there), NETS the nets whose weights go into the image ("googlenet alexnet"; none otherwise),
# VERSION and SOURCE what the labels say.
#
# WORKDIR is /: predicdiff writes below out/ by default, so that results lie in /out, which is there to be mounted.

ARG BASE=debian:bullseye-slim
ARG PYTHON_BASE=python:3.11-slim-bookworm

# ---------------------------------------------------------------- Debian 11, its releases' dates not minded: it is old
FROM ${BASE} AS debian
ARG MIRROR=
ENV DEBIAN_FRONTEND=noninteractive
RUN echo 'Acquire::Check-Valid-Until "false";' > /etc/apt/apt.conf.d/80old-release \
 && if [ -n "${MIRROR}" ]; then sed -i -E "s#https?://[^/ ]+/#${MIRROR%/}/#" /etc/apt/sources.list; fi

# ---------------------------------------------------------------- the wheel, and what Debian 11 has not
FROM debian AS wheel
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates=20250419~deb12u1~deb11u1 \
      python3-pip=20.3.4-4+deb11u2 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY constraints.txt ./
# setuptools that reads pyproject.toml, and the one dependency that is no package of Debian 11
RUN python3 -m pip install --no-cache-dir --constraint constraints.txt setuptools \
 && python3 -m pip install --no-cache-dir --no-deps --root /install --constraint constraints.txt tomli
COPY pyproject.toml setup.py README.md LICENSE ./
COPY models models
COPY predicdiff predicdiff
# --no-deps: Debian's numpy and protobuf, which pycaffe was compiled against, stay what they are
RUN python3 -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python3 -m pip install --no-cache-dir --no-deps --no-index --root /install /wheels/predicdiff-*.whl

# ---------------------------------------------------------------- what cpu and cuda have in common
FROM debian AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates=20250419~deb12u1~deb11u1 \
      libopenblas0-pthread=0.3.13+ds-3+deb11u1 \
      python3-click=7.1.2-1 \
      python3-h5py=2.10.0-9 \
      python3-matplotlib=3.3.4-1 \
      python3-numpy=1:1.19.5-1 \
      python3-pil=8.1.2+dfsg-0.3+deb11u3 \
      python3-protobuf=3.12.4-1+deb11u1 \
      python3-scipy=1.6.0-2 \
      python3-skimage=0.18.1-2 \
      python3-tqdm=4.57.0-2 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
# any user may write there: `--user "$(id -u):$(id -g)"` gives the results an owner
RUN useradd --uid 1000 --create-home predicdiff \
 && mkdir -m 1777 /cache /out
ENV HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PREDICDIFF_CACHE=/cache \
    PREDICDIFF_ENGINE=caffe \
    PREDICDIFF_FETCH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/predicdiff \
    PYTHONUNBUFFERED=1
WORKDIR /
ENTRYPOINT ["predicdiff"]
CMD ["--help"]
LABEL org.opencontainers.image.title="predicdiff" \
      org.opencontainers.image.description="Which parts of a picture speak for and against a class, with Caffe itself" \
      org.opencontainers.image.licenses="MIT"

# ---------------------------------------------------------------- cpu
FROM runtime AS cpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      python3-caffe=1.0.0+git20180821.99bd997-8+b2 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /install /
COPY reproduce /opt/predicdiff/reproduce
ARG NETS=
RUN for net in ${NETS}; do predicdiff fetch "${net}" || exit 1; done \
 && chmod -R a+rX /cache
ARG VERSION=
ARG SOURCE=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 1000

# ---------------------------------------------------------------- test: the suite against what is installed in cpu
# pytest and hypothesis of Debian 11 are older than the suite wants
FROM wheel AS test-tools
RUN python3 -m pip install --no-cache-dir --ignore-installed --root /tools --constraint constraints.txt \
      hypothesis pytest

FROM cpu AS test
COPY --from=test-tools /tools /
COPY --chown=1000 . /src
USER 0
RUN rm -r /src/predicdiff \
 && ln -s /usr/local/lib/python3.9/dist-packages/predicdiff /src/predicdiff
USER 1000
WORKDIR /src
ENTRYPOINT ["pytest", "-p", "no:cacheprovider"]
CMD ["-q"]

# ---------------------------------------------------------------- torch
FROM ${PYTHON_BASE} AS torch
RUN useradd --uid 1000 --create-home predicdiff \
 && mkdir -m 1777 /cache /out
COPY constraints.txt /tmp/constraints.txt
COPY --from=wheel /wheels /tmp/wheels
RUN python3 -m pip install --no-cache-dir --constraint /tmp/constraints.txt \
      "$(echo /tmp/wheels/predicdiff-*.whl)[torch]" \
 && rm -r /tmp/constraints.txt /tmp/wheels
COPY reproduce /opt/predicdiff/reproduce
ENV HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all \
    PREDICDIFF_CACHE=/cache \
    PREDICDIFF_ENGINE=torch \
    PREDICDIFF_FETCH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/predicdiff \
    PYTHONUNBUFFERED=1
ARG NETS=
RUN for net in ${NETS}; do predicdiff fetch "${net}" || exit 1; done \
 && chmod -R a+rX /cache
ARG VERSION=
ARG SOURCE=
LABEL org.opencontainers.image.title="predicdiff" \
      org.opencontainers.image.description="Which parts of a picture speak for and against a class, with torch" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}"
WORKDIR /
USER 1000
ENTRYPOINT ["predicdiff"]
CMD ["--help"]

# ---------------------------------------------------------------- CUDA pycaffe from Debian's source package
# non-free of the release alone: the driver's libraries, which come along, are replaced often among the security updates
FROM debian AS caffe-cuda
RUN sed -i -n 's/ bullseye main$/ bullseye main contrib non-free/; p; s/^deb /deb-src /p' /etc/apt/sources.list \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
      cmake=3.18.4-2+deb11u1 \
      dpkg-dev=1.20.14 \
      g++=4:10.2.1-1 \
      libboost-filesystem-dev=1.74.0.3 \
      libboost-python-dev=1.74.0.3 \
      libboost-system-dev=1.74.0.3 \
      libboost-thread-dev=1.74.0.3 \
      libgflags-dev=2.2.2-2 \
      libgoogle-glog-dev=0.4.0-4 \
      libhdf5-dev=1.10.6+repack-4+deb11u1 \
      libopenblas-dev=0.3.13+ds-3+deb11u1 \
      libprotobuf-dev=3.12.4-1+deb11u1 \
      make=4.3-4.1 \
      nvidia-cuda-toolkit=11.2.2-3+deb11u3 \
      protobuf-compiler=3.12.4-1+deb11u1 \
      python3-dev=3.9.2-3 \
      python3-numpy=1:1.19.5-1 \
 && apt-get clean
WORKDIR /src
RUN apt-get source caffe=1.0.0+git20180821.99bd997-8 && mv caffe-1.0.0* caffe
# machine code for the GPUs that CUDA 11.2 knows, and PTX that newer ones compile for themselves
RUN cmake -S caffe -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_SKIP_RPATH=ON \
      -DCPU_ONLY=OFF -DUSE_CUDNN=OFF -DUSE_NCCL=OFF -DBLAS=Open \
      -DUSE_OPENCV=OFF -DUSE_LEVELDB=OFF -DUSE_LMDB=OFF -DBUILD_docs=OFF \
      -DBUILD_python_layer=ON -Dpython_version=3 \
      -DCUDA_ARCH_NAME=Manual "-DCUDA_ARCH_BIN=50 60 70 75 80 86" -DCUDA_ARCH_PTX=86 \
 && make -C build -j"$(nproc)" caffe pycaffe
# what is needed to run it, where Debian's package of the CPU kind would put it; without build paths inside
RUN python=/install/usr/local/lib/python3.9/dist-packages \
 && mkdir -p "${python}" \
 && cp build/lib/libcaffe.so.1.0.0 /install/usr/local/lib/ \
 && cp -rL caffe/python/caffe "${python}/caffe" \
 && rm -r "${python}/caffe/_caffe.cpp" "${python}/caffe/test" \
 && strip --strip-unneeded /install/usr/local/lib/libcaffe.so.1.0.0 "${python}/caffe/_caffe.so"

# ---------------------------------------------------------------- cuda, without libcaffe1: its soname is the same
FROM runtime AS cuda
RUN sed -i 's/ bullseye main$/ bullseye main contrib non-free/' /etc/apt/sources.list \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
      libboost-filesystem1.74.0=1.74.0-9 \
      libboost-python1.74.0=1.74.0-9 \
      libboost-thread1.74.0=1.74.0-9 \
      libcublas11=11.4.1.1043~11.2.2-3+deb11u3 \
      libcudart11.0=11.2.152~11.2.2-3+deb11u3 \
      libcurand10=11.1.1+~10.2.3.152~11.2.2-3+deb11u3 \
      libgflags2.2=2.2.2-2 \
      libgoogle-glog0v5=0.4.0-4 \
      libhdf5-103-1=1.10.6+repack-4+deb11u1 \
      libhdf5-hl-100=1.10.6+repack-4+deb11u1 \
      libprotobuf23=3.12.4-1+deb11u1 \
      libpython3.9=3.9.2-1+deb11u7 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
# without a GPU this Caffe says twice that it has no cuBLAS, which the CPU does not need: fatal lines only
ENV GLOG_minloglevel=3 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all
COPY --from=caffe-cuda /install /
RUN ldconfig
COPY --from=wheel /install /
COPY reproduce /opt/predicdiff/reproduce
ARG NETS=
RUN for net in ${NETS}; do predicdiff fetch "${net}" || exit 1; done \
 && chmod -R a+rX /cache
ARG VERSION=
ARG SOURCE=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 1000
