from octa_kedro.pipelines.explainability.pipeline import create_pipeline

__all__ = ["create_pipeline"]
