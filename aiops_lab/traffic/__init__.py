"""Traffic: spans put together to requests, requests rolled up by hour and by day."""
