"""What the benchmark suites share: instances as files, one process per run, checks of answers, resumable results.

``child`` and ``peers`` run in the interpreter of the package under test and import nothing but NumPy and that package;
everything else runs in kantor's interpreter. It lies here and not in the package because peers, their traps and their
instances are of use only in a checkout.
"""
