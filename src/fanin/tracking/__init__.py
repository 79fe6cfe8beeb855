"""Second floor: the one place that imports mlflow. It does not know what a layer is."""
