"""alembic's entry point: runs migrations on the engine that `consentgate.migrations` hands over."""

from alembic import context

from gateway.store.key_models import KeyBase

engine = context.config.attributes["engine"]

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=KeyBase.metadata,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
