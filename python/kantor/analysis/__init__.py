"""What analysts ask of a table: contents, footprints, multipliers, linkages, extraction, paths, prices, decomposition.

Every answer comes from :func:`kantor.solve_leontief`, keeps the labels and units of the economy, and carries the
certified error bound of its solves where that makes sense. No inverse is ever formed.
"""
