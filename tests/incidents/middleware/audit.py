# SPDX-License-Identifier: Apache-2.0
"""The audit log: every order leaves a row in PostgreSQL, through a synchronous session as most SQLAlchemy code has it."""
import os

from sqlalchemy import Column, DateTime, Integer, String, create_engine, func
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
Session = sessionmaker(bind=engine)
Base = declarative_base()


class AuditEntry(Base):
    __tablename__ = "audit_log"

    id = Column(Integer, primary_key=True)
    at = Column(DateTime(timezone=True), server_default=func.now())
    method = Column(String, nullable=False)
    path = Column(String, nullable=False)
    status = Column(Integer, nullable=False)


def record(method, path, status):
    with Session() as session:
        session.add(AuditEntry(method=method, path=path, status=status))
        session.commit()  # <- cause: commit
