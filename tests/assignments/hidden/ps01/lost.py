# An example, and public: keep yours in a private folder. Two positions that the check in the notebook does not have.
tasks["lost"].on(
    dict(contracts=1_000, entry=50_000.0, margin=0.2, rate=0.004, price=45_000.0),
    dict(contracts=1_000, entry=50_000.0, margin=0.2, rate=0.004, price=48_000.0),
).require(lost)
