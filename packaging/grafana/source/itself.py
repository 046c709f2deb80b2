"""vigil itself: does it receive, store and answer, and what does it cost."""

from source.model import (ANY_IS_BAD, ANY_IS_ODD, FULL, GREEN, ORANGE, RED, dashboard, row, stat, states, table, thresholds, timeseries, variable)

IT = 'job="vigil", instance="$aggregator"'


def of(name, more=""):
    return f"{name}{{{IT}{', ' + more if more else ''}}}"


def rate(name):
    return f"rate({of(name)}[$__rate_interval])"


def grown(name):
    return f"increase({of(name)}[$__rate_interval])"


def build():
    return dashboard("vigil-itself", "vigil / vigil itself", "The aggregator and its agents: what arrives, what is stored, what it costs, what was lost.",
                     [variable("aggregator", "Aggregator", "label_values(vigil_build_info, instance)")], [
        row("Now"),
        stat("Stores", "Whether received samples become durable.", of("vigil_store_healthy"), steps=thresholds((1, GREEN), base=RED), texts={"1": ("yes", GREEN), "0": ("no", RED)}, graph=False),
        stat("Agents connected", "Streams open now.", of("vigil_aggregator_streams"), steps=thresholds((1, GREEN), base=RED)),
        stat("Samples", "Received and stored, a second.", rate("vigil_aggregator_samples_total"), "cps"),
        stat("Load", "What receiving and storing takes of what it may; past 100 % agents deliver less often.", of("vigil_aggregator_ingest_load_ratio"), "percentunit", steps=thresholds((0.7, ORANGE), (1, RED)), decimals=1),
        stat("CPU", "Of one core.", rate("process_cpu_seconds_total"), "percentunit", decimals=1),
        stat("Memory", "Resident.", of("process_resident_memory_bytes"), "bytes"),
        stat("History", "On disk.", of("vigil_store_disk_bytes"), "bytes"),
        stat("Bytes per sample", "On disk, of what is sealed.", of("vigil_store_bytes_per_sample"), decimals=2),
        row("Receiving"),
        timeseries("Samples", "Received and stored, a second.", (rate("vigil_aggregator_samples_total"), "samples"), "cps", least=0),
        timeseries("Until durable", "From a batch's arrival to its commit; agents keep it until then.", [(f"histogram_quantile({q}, sum by (le) ({rate('vigil_aggregator_durable_seconds_bucket')}))", f"{float(q) * 100:.0f} %") for q in ("0.5", "0.99")], "s", least=0),
        timeseries("Load and pace", "Beside the load: how often agents are asked to deliver.", [(of("vigil_aggregator_ingest_load_ratio"), "load"), (of("vigil_aggregator_delivery_interval_seconds"), "seconds between deliveries")], least=0),
        timeseries("Streams", "Agents connected, and those that deliver what an outage left.", [(of("vigil_aggregator_streams"), "live"), (of("vigil_aggregator_backfill_streams"), "back-fill"), (of("vigil_aggregator_hosts"), "hosts known")], least=0),
        timeseries("Received", "Bytes of messages a second.", (rate("vigil_aggregator_received_bytes_total"), "bytes"), "Bps", least=0),
        timeseries("Lost or refused", "What was not stored, in the range shown by one point. Anything but zero wants a look.", [
            (grown("vigil_aggregator_lost_batches_total"), "batches agents dropped"), (grown("vigil_aggregator_lost_acknowledged_batches_total"), "acknowledged batches"),
            (f"sum by (reason) ({grown('vigil_aggregator_rows_refused_total')})", "rows {{reason}}"), (f"sum by (reason) ({grown('vigil_aggregator_refused_total')})", "streams {{reason}}"), (grown("vigil_aggregator_throttled_total"), "streams slowed down")], steps=ANY_IS_BAD, least=0),
        row("Storing"),
        timeseries("History on disk", "By tier, and the journal.", [(f"max by (tier) ({of('vigil_store_tier_bytes')})", "{{tier}}"), (of("vigil_store_journal_bytes"), "journal")], "bytes", stack=True, least=0),
        timeseries("Commits", "Duration of the latest, and of the longest since the start.", [(of("vigil_store_commit_seconds"), "latest"), (of("vigil_store_commit_seconds_max"), "longest")], "s", least=0),
        timeseries("Waiting to be stored", "Received, not yet committed.", (of("vigil_store_queued_bytes"), "bytes"), "bytes", least=0),
        timeseries("Trouble of the store", "Transactions that failed, blocks found damaged, batches that had to wait for room.", [(grown("vigil_store_commit_failures_total"), "failed transactions"), (of("vigil_store_damaged_blocks_total"), "damaged blocks"),
                   (of("vigil_store_damaged_files"), "damaged files"), (of("vigil_store_missing_files"), "missing files"), (grown("vigil_aggregator_journal_stalls_total"), "stalls")], steps=ANY_IS_BAD, least=0),
        timeseries("Blocks", "Sealed, and removed by retention.", [(rate("vigil_store_blocks"), "sealed/s"), (grown("vigil_store_retired_blocks_total"), "removed")], least=0),
        timeseries("Samples stored", "In sealed blocks, by tier.", (f"max by (tier) ({of('vigil_store_tier_samples')})", "{{tier}}"), least=0),
        row("Working"),
        timeseries("CPU", "Of one core.", (rate("process_cpu_seconds_total"), "CPU"), "percentunit", least=0),
        timeseries("Memory", "Resident, and addressed.", [(of("process_resident_memory_bytes"), "resident")], "bytes", least=0),
        timeseries("Open files", "Of what the process may open: each agent takes one.", (f"{of('process_open_fds')} / {of('process_max_fds')}", "used"), "percentunit", least=0, steps=FULL),
        timeseries("Queues", "Work waiting at shards.", (of("vigil_aggregator_queue_tasks"), "shard {{shard}}"), least=0),
        timeseries("Busy threads", "For how long a thread has been busy with one thing; past 30 s the watchdog is not fed.", (of("vigil_aggregator_busy_seconds"), "{{thread}}"), "s", least=0, steps=thresholds((30, RED))),
        timeseries("Late", "Work refused by full shards, and questions of rules given up.", [(f"sum({grown('vigil_aggregator_queue_refused_total')})", "refused"), (f"sum by (for) ({grown('vigil_aggregator_late_answers_total')})", "late for {{for}}"),
                   (of("vigil_aggregator_live_tails"), "live tails open")], least=0),
        row("Agents"),
        table("Agents", "One line for each; CPU in shares of one core.", [
            ("sum by (instance) (rate(vigil_agent_cpu_seconds_total[$__rate_interval]))", "CPU", "percentunit", thresholds((0.01, ORANGE), (0.05, RED))), ("max by (instance) (vigil_agent_resident_memory_bytes)", "Memory", "bytes"),
            ("max by (instance) (vigil_agent_series)", "Series", "short"), ("max by (instance) (vigil_agent_series_left_out)", "Left out", "short", ANY_IS_BAD), ("max by (instance) (vigil_agent_buffer_bytes + vigil_agent_spool_bytes)", "Not yet delivered", "bytes"),
            ("sum by (instance) (increase(vigil_agent_batches_dropped_total[$__range]))", "Batches dropped", "short", ANY_IS_BAD), ("sum by (instance) (increase(vigil_agent_beats_missed_total[$__range]))", "Beats missed", "short", ANY_IS_ODD),
            ("sum by (instance) (increase(vigil_agent_connection_failures_total[$__range]))", "Connections lost", "short", ANY_IS_ODD),
        ], ["instance"], sort="CPU"),
        timeseries("CPU of agents", "The ten that use most, in shares of one core.", ("topk(10, sum by (instance) (rate(vigil_agent_cpu_seconds_total[$__rate_interval])))", "{{instance}}"), "percentunit", least=0),
        timeseries("Sent by agents", "Bytes a second, of the ten that send most.", ("topk(10, sum by (instance) (rate(vigil_agent_sent_bytes_total[$__rate_interval])))", "{{instance}}"), "Bps", least=0),
        timeseries("Collectors that fail", "By collector, over all agents.", ("count by (collector) (node_scrape_collector_success == 0)", "{{collector}}"), least=0),
        states("Connected", "Agents by name.", ("max by (instance) (vigil_host_connected)", "{{instance}}"), {"1": ("connected", GREEN), "0": ("away", RED)}),
        table("Versions", "How many agents run which.", [("count by (version) (vigil_agent_info)", "Agents", "short")], ["version"], width=12, height=6),
        table("Aggregator", "Its own version.", [(f"max by (version, instance) ({of('vigil_build_info')})", "Running", "bool_yes_no")], ["instance", "version"], width=12, height=6),
    ])
