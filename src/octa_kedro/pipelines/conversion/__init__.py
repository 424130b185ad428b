from octa_kedro.pipelines.conversion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
