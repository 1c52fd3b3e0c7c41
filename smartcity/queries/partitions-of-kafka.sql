-- How evenly the Kafka partitions are filled, and up to which offset the lake has come
SELECT 'vehicle' AS topic, kafka_partition, count(*) AS events, max(kafka_offset) AS last_offset
FROM vehicle GROUP BY kafka_partition
UNION ALL SELECT 'gps', kafka_partition, count(*), max(kafka_offset) FROM gps GROUP BY kafka_partition
ORDER BY topic, kafka_partition
