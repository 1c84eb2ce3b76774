"""Economies built from economies: years with capital and stocks, regions with trade.

Whatever a plan may contain becomes goods and techniques of a larger :class:`kantor.Economy` here, so that every
objective, limit, method, certificate and file of kantor serves it as it is. A stock of machines in 2027 is a good that
investment makes and production uses; a shipment is a technique that turns grain in one region into grain in another.
"""
