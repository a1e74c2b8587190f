# SPDX-License-Identifier: Apache-2.0
"""The shop's tables and its connection pool. POOL_TIMEOUT is SQLAlchemy's 30 s in production; the incident is shortened by it."""
import os

from sqlalchemy import Column, Integer, Numeric, String, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_engine(
    os.environ["DATABASE_URL"], pool_size=3, max_overflow=0, pool_timeout=float(os.environ.get("POOL_TIMEOUT", "30"))
)
Session = sessionmaker(bind=engine)
Base = declarative_base()


class Article(Base):
    __tablename__ = "articles"

    id = Column(Integer, primary_key=True)
    name = Column(String, nullable=False)


class Booking(Base):
    """The ledger: it only ever grows."""

    __tablename__ = "ledger"

    id = Column(Integer, primary_key=True)
    account = Column(String, nullable=False)
    amount = Column(Numeric(12, 2), nullable=False)
