"""The Celery application of the composed product: `celery --app deploy.worker worker`."""

from registry.app import Renhice
from wsgi import create_app

parts: Renhice = create_app().extensions["renhice"]
celery = parts.celery
