"""
A study, and what it says
=========================

Many images explained alike make a study: a folder with a result and a picture of each, and a table of all.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from predicdiff.samplers.corpus import bundled
from predicdiff.studies.index import read_index
from predicdiff.studies.overview.drawing import summary_figure
from predicdiff.studies.overview.summary import summary

# %%
# Some photographs, as files.

folder = Path(tempfile.mkdtemp())
photographs, study = folder / "photographs", folder / "study"
photographs.mkdir()
for name in ("chelsea", "coffee", "rocket"):
    Image.fromarray(bundled()[name]).save(photographs / f"{name}.png")

# %%
# The command that a shell would be given: ``predicdiff explain photographs -o study/ -k 32 --stride 16 -S 2``. It
# goes on where it stopped when it is given again, and takes ``--workers`` for several processes or a cluster.

command = ["explain", str(photographs), "-o", f"{study}/", "-k", "32", "--stride", "16", "-S", "2", "--quiet"]
done = subprocess.run([sys.executable, "-m", "predicdiff", *command], capture_output=True, text=True, check=True)

# %%
# The table has a row for each image and target.

for row in read_index(study):
    print(
        f"{Path(row.file).name:20} {row.class_:20} {row.probability:.2f}  {row.highest:+.2f} to {row.lowest:+.2f} bits"
    )

# %%
# What the maps say together: their mean and spread, where most evidence lies, and which images are unlike the others.
# The command is ``predicdiff study study/``.

found = summary(study)
print("\n".join(found.lines()))
drawn = summary_figure(found)
