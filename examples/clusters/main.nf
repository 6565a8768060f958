// fanfold in Nextflow: plan, tasks, fold.
//
//   nextflow run main.nf --genome /shared/genome.fa --out /shared/results --k '5 8'
//
// genome and out are absolute paths that every node sees, or URLs.

params.genome = null
params.out = null
params.k = '5'
params.slice_size = '100MiB'

process PLAN {
    cpus 1
    memory '500 MB'
    cache false // fanfold itself knows what is done, and looks at the results that are there

    input:
    val genome
    val out
    val options

    output:
    stdout

    script:
    """
    said=\$(fanfold plan '${genome}' --out '${out}' ${options} 2>&1) ||
        { status=\$?; echo "\$said" >&2; exit \$status; }
    sed -n 's/^tasks 0 to \\([0-9]*\\).*/\\1/p' <<< "\$said"
    """
}

process TASK {
    cpus 1
    memory '500 MB'
    time '1h'
    cache false
    errorStrategy 'retry'
    maxRetries 2

    input:
    val out
    val index

    output:
    val index

    script:
    """
    fanfold task '${out}/plan.json' --index ${index}
    """
}

process FOLD {
    cpus 1
    memory '4 GB'
    cache false

    input:
    val out
    val indexes // waits for every task

    output:
    stdout

    script:
    """
    fanfold fold '${out}/plan.json'
    """
}

workflow {
    if (!params.genome || !params.out) {
        error 'give --genome and --out'
    }
    def k = params.k.toString().split().collect { each -> "-k ${each}" }.join(' ')

    PLAN(params.genome, params.out, "${k} --slice-size ${params.slice_size}")
    TASK(params.out, PLAN.out.flatMap { last -> 0..last.trim().toInteger() })
    FOLD(params.out, TASK.out.collect())
    FOLD.out.view()
}
