"""Monitor of reported series: quarantine, Bayesian filter, indices, alerts that rise when nobody deals with them."""
