"""What pyproject.toml can't say: the packages are found, and the folder models becomes one of them."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["predicdiff*"]), "predicdiff.models"])
