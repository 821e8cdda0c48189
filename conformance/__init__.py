"""The accreditation kit: plays the registry against a candidate record system, and writes down what it saw.

It stands outside the product and shares no code with it: what it expects, it takes from the norms and the guides.
"""
