from octa_kedro.pipelines.phantom.pipeline import create_pipeline

__all__ = ["create_pipeline"]
