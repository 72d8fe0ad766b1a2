"""The paper's claims as numbers: what its section 4 says, each claim with a statistic, a null and a verdict.

`table` says what is measured and what counts, `remarks` how far it was kept to; a file for each claim measures it of
one photograph before one net; `verdicts` makes a verdict of all photographs; `report` writes the table.
"""
