// fanfold in Nextflow: plan, tasks, fold. With k-mers from 9 on it is folded once before they are
// counted, and once after that.
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
    sed -n 's/^tasks 0 to \\([0-9]*\\).*/\\1/p; s/.*counts 0 to \\([0-9]*\\):.*/\\1/p' <<< "\$said"
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

process TEXT {
    cpus 1
    memory '4 GB'
    cache false

    input:
    val out
    val indexes // waits for every task
    val last

    output:
    val last

    script:
    """
    fanfold fold '${out}/plan.json' || [ \$? -eq 6 ] # the counts are missing
    """
}

process COUNT {
    cpus 1
    memory '4 GB'
    time '4h'
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
    fanfold reduce '${out}/plan.json' --index ${index}
    """
}

process FOLD {
    cpus 1
    memory '4 GB'
    cache false

    input:
    val out
    val indexes // waits for every task
    val counts // and for every count

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
    // The last slice and, if there are k-mers from 9 on, the last count of them.
    def lasts = PLAN.out.map { said -> said.trim().readLines()*.toInteger() }
    TASK(params.out, lasts.flatMap { each -> 0..each[0] })
    TEXT(params.out, TASK.out.collect(), lasts.filter { each -> each.size() > 1 }.map { each -> each[1] })
    COUNT(params.out, TEXT.out.flatMap { last -> 0..last })
    FOLD(params.out, TASK.out.collect(), COUNT.out.collect().ifEmpty([]))
    FOLD.out.view()
}
