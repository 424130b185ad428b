from octa_kedro.config import Config
class TrackingConfig(Config):
    tensorboard: bool=False
    mlflow: bool=False
