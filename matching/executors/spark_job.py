"""A whole linkage as a job for a cluster: `spark-submit --py-files matching.zip spark_job.py --records URI --out URI`.

Reads and writes where Spark reads and writes (HDFS, S3, a shared folder); docs/bulk-linkage.md says how to size it.
"""

import click
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.functions import col, concat, lit, monotonically_increasing_id

from matching.executors.spark import block, grow, prepare, weigh
from matching.files import canonical
from matching.intake import model_for
from matching.model import Model
from matching.schema import IDENTIFIERS


@click.command()
@click.option("--records", "source", required=True, help="CSV with a header, or a folder of such.")
@click.option("--out", required=True, help="A folder for the result: establishment, local_id, cluster as CSV.")
@click.option("--checkpoints", required=True, help="A folder all machines see, for what lies between the steps.")
@click.option("--model", "path", type=click.Path(exists=True), help="A model file.  [default: the Peruvian model]")
@click.option("--population", type=float, help="How many people the records may be about.")
@click.option("--delimiter", "sep", default=",", show_default=True)
@click.option("--encoding", default="UTF-8", show_default=True)
def main(source: str, out: str, checkpoints: str, path: str | None, population: float | None, **csv: str) -> None:
    """Link records on the cluster this job was submitted to."""
    session = SparkSession.builder.appName("renhice match").getOrCreate()
    session.sparkContext.setCheckpointDir(checkpoints)
    rows = session.read.csv(source, header=True, mode="FAILFAST", **csv)
    for kind, count in link(session, Model.load(path), rows, out, population).items():
        click.echo(f"{count} blocks of kind {kind} hold too many records to compare, and were left out", err=True)


def link(
    session: SparkSession, model: Model, rows: DataFrame, out: str, population: float | None = None
) -> dict[str, int]:
    """Link the rows and write the clusters; the blocks left out because they are too large, by kind."""
    rows = rows.toDF(*map(canonical, rows.columns)).withColumn("record", monotonically_increasing_id()).checkpoint()
    model = model_for(model, population, rows.count())
    prepared = prepare(model, rows)
    blocked = block(session, prepared)
    linked = grow(session, model, prepared, weigh(session, model, prepared, blocked.pairs))
    named = rows.select("record", *(_identifier(model, name) for name in IDENTIFIERS)).join(linked, "record")
    clusters = named.select(*IDENTIFIERS, concat(lit("c"), col("cluster")).alias("cluster"))
    clusters.write.csv(out, header=True, mode="errorifexists")
    return dict(blocked.skipped)


def _identifier(model: Model, name: str) -> Column:
    """What a row says its establishment or local number is; nothing where the schema has no column for it."""
    columns = model.schema.columns.get(name, ())
    return (col(columns[0]) if columns else lit("")).alias(name)


if __name__ == "__main__":
    main()
