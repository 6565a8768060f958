"""The functions of the cloud path, each thin over the modules that a local run uses.

    starter     POST /chunk: creates a job, sends it to the chunker's queue
    chunker     plans a job, and submits its slices as a Batch array
    aggregator  woken by Batch: folds, or says what failed
    status      GET and DELETE of jobs
    failures    what the functions above could not do: becomes an error that users see
    sweep       holds open jobs against Batch, and mends what was lost

What is known of a job is objects in the bucket (`ledger`), each created or replaced whole, so that
any function can be killed between any two steps and be run again.
"""
